import { lowerCase } from '../models/lower-case.ts'
import type { RecordFacts } from '../models/record-facts.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { type FilterColumns, refuseContent, TEXT_WORDS, type TextWord } from './filter.ts'
import { LOG_RECORD_COLUMNS } from './log-record-repository.ts'
import { attributeMatcher } from './match-attribute.ts'
import { fullTextMatcher } from './match-full-text.ts'
import { POINT_COLUMNS } from './metric-repository.ts'
import type { Conditions } from './read-filter.ts'
import { SPAN_COLUMNS } from './trace-repository.ts'

/** Whether a filter finds a record. */
export type RecordMatcher = (facts: RecordFacts) => boolean

const COLUMNS: Readonly<Record<TelemetrySignal, FilterColumns>> = {
  traces: SPAN_COLUMNS,
  metrics: POINT_COLUMNS,
  logs: LOG_RECORD_COLUMNS,
}

/** Read by name: V8 reads a property whose name is a variable many times slower. */
const TEXTS: Readonly<Record<TextWord, (wanted: string) => RecordMatcher>> = {
  service: (wanted) => (facts) => facts.service === wanted,
  environment: (wanted) => (facts) => facts.environment === wanted,
  name: (wanted) => (facts) => facts.name === wanted,
  model: (wanted) => (facts) => facts.call?.model === wanted,
  provider: (wanted) => (facts) => facts.call?.provider === wanted,
  operation: (wanted) => (facts) => facts.call?.operation === wanted,
  prompt: (wanted) => (facts) => facts.call?.prompt === wanted,
  user: (wanted) => (facts) => facts.call?.user === wanted,
  session: (wanted) => (facts) => facts.call?.session === wanted,
  // Evaluations have one, and they are no signal.
  label: () => () => false,
}

/**
 * A filter as a condition on records that are not stored yet: it finds those that the same filter finds in the signal's view ({@link whereSql}), where they have just
 * been written. A word that the view has no column for is not looked at. The same is asked of each record as often as there are filters: so a condition is put together once, what costs
 * least is asked first, and what is not asked for costs nothing.
 *
 * It differs where only PostgreSQL knows better: full text of other than ordinary words ({@link fullTextMatcher}); digits of a number past the precision of a double, which are
 * stored; upper and lower case past ASCII, where the database's locale has others than Unicode (C has none).
 *
 * @throws as {@link refuseContent}.
 */
export function matcherOf(signal: TelemetrySignal, filter: Conditions): RecordMatcher {
  refuseContent(filter, COLUMNS[signal])
  return allOf(conditionsOf(filter, COLUMNS[signal]))
}

function conditionsOf(filter: Conditions, columns: FilterColumns): readonly RecordMatcher[] {
  const conditions: RecordMatcher[] = []
  const add = <T>(
    column: string | undefined,
    wanted: T | undefined,
    condition: (wanted: T) => RecordMatcher,
  ) => {
    if (column !== undefined && wanted !== undefined) conditions.push(condition(wanted))
  }
  const { texts, timeUnixNano, durationNs, body } = columns
  add(columns.severityNumber, filter.minSeverityNumber, (least) => (facts) => facts.severityNumber >= least)
  add(columns.statusCode, filter.status, (status) => (facts) => facts.statusCode === status)
  add(columns.kindCode, filter.kind, (kind) => (facts) => facts.kindCode === kind)
  add(columns.traceId, filter.traceId?.toLowerCase(), (id) => (facts) => facts.traceId === id)
  add(columns.spanId, filter.spanId?.toLowerCase(), (id) => (facts) => facts.spanId === id)
  for (const word of TEXT_WORDS) add(texts[word], filter[word], TEXTS[word])
  add(timeUnixNano, filter.from, (from) => (facts) => facts.timeUnixNano >= from)
  add(timeUnixNano, filter.to, (to) => (facts) => facts.timeUnixNano < to)
  add(
    durationNs,
    filter.minDuration,
    (least) =>
      ({ durationNs: has }) =>
        has !== null && has >= least,
  )
  add(
    durationNs,
    filter.maxDuration,
    (most) =>
      ({ durationNs: has }) =>
        has !== null && has <= most,
  )
  for (const [key, value] of filter.attributes ?? []) {
    add(columns.attributes, attributeMatcher(key, value), (isThere) => (facts) => isThere(facts.attributes))
  }
  add(body, filter.contains, (part) => {
    const wanted = lowerCase(part)
    return (facts) => facts.lowerBody?.includes(wanted) === true
  })
  add(body, filter.fullText, (search) => {
    const isIn = fullTextMatcher(search)
    return (facts) => facts.words !== null && isIn(facts.words)
  })
  return conditions
}

/** Nearly every filter has one or two conditions: those are asked without a loop. */
function allOf(conditions: readonly RecordMatcher[]): RecordMatcher {
  const [first, second] = conditions
  if (first === undefined) return () => true
  if (second === undefined) return first
  if (conditions.length === 2) return (facts) => first(facts) && second(facts)
  return (facts) => {
    for (const holds of conditions) if (!holds(facts)) return false
    return true
  }
}
