import { attributeForms } from '../models/attribute-forms.ts'
import type { RetentionCondition, RetentionRule, RetentionTextWord } from '../models/retention-rule.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { PartitionRange } from './partition-range.ts'
import { isOlderThan, type RetentionPolicy } from './retention-policy.ts'

/** What is to become of the rows of a partition now: all stay, all go, or those that `goesSql` says. */
export type RetentionVerdict = 'keep' | 'remove' | MixedVerdict

export interface MixedVerdict {
  /** For a person, and to be compared: the same text is the same rows. */
  readonly text: string
  /**
   * A condition on a row `r` of the signal's table.
   *
   * @param add gives a parameter its place: `$1`.
   */
  goesSql(add: (value: unknown) => string): string
}

/** What a policy says of a partition of a signal's table at a time (unix milliseconds). */
export function verdictOn(
  signal: TelemetrySignal,
  range: PartitionRange,
  { policy, nowMs }: { readonly policy: RetentionPolicy; readonly nowMs: number },
): RetentionVerdict {
  const othersGo = isOlderThan(range, policy.days[signal], nowMs)
  const decided = policy.rules
    .filter((rule) => rule.signal === signal)
    .map((rule) => ({ rule, goes: isOlderThan(range, rule.days, nowMs) }))
  // The last rules may say what holds of all others anyway.
  const said = decided.slice(0, decided.findLastIndex(({ goes }) => goes !== othersGo) + 1)
  if (said.length === 0) return othersGo ? 'remove' : 'keep'
  const word = (goes: boolean) => (goes ? 'remove' : 'keep')
  return {
    text: [
      ...said.map(({ rule, goes }) => `${word(goes)} ${conditionsText(rule)}`),
      `${word(othersGo)} the rest`,
    ].join('; '),
    goesSql: (add) => {
      const cases = said.map(({ rule, goes }) => `when ${conditionsSql(rule, add)} then ${goes}`)
      return `(case ${cases.join(' ')} else ${othersGo} end)`
    },
  }
}

/** The rule without its signal and days. */
function conditionsText({ text }: RetentionRule): string {
  return text.replace(/^\S+ | \S+$/g, '')
}

function conditionsSql({ signal, conditions }: RetentionRule, add: (value: unknown) => string): string {
  const sql = CONDITIONS[signal]
  return conditions.map((condition) => sql(condition, add)).join(' and ')
}

type ConditionSql = (condition: RetentionCondition, add: (value: unknown) => string) => string

/** Of rows that bear their resource's id. */
function byResource(add: (value: unknown) => string, value: string): string {
  return `r.resource_id in (select resource_id from resources where environment = ${add(value)})`
}

function byAttribute(
  column: string,
  { key, value }: { readonly key: string; readonly value: string },
  add: (value: unknown) => string,
): string {
  return `(${attributeForms(key, value)
    .map((json) => `${column} @> ${add(json)}::jsonb`)
    .join(' or ')})`
}

const SPAN_TEXTS: Readonly<Record<Exclude<RetentionTextWord, 'environment'>, string>> = {
  service: 'r.service',
  name: 'r.name',
  model: 'coalesce(r.response_model, r.request_model)',
  provider: 'r.provider',
  operation: 'r.operation',
  prompt: 'r.prompt_name',
  user: 'r.user_id',
  session: 'r.session_id',
}

const spanCondition: ConditionSql = (condition, add) => {
  switch (condition.word) {
    case 'status':
      return `r.status_code = ${add(condition.code)}`
    case 'kind':
      return `r.kind = ${add(condition.code)}`
    case 'minDuration':
      return `r.duration_ns >= ${add(condition.nanos)}::bigint`
    case 'maxDuration':
      return `r.duration_ns <= ${add(condition.nanos)}::bigint`
    case 'attribute':
      return byAttribute('r.attributes', condition, add)
    case 'environment':
      return byResource(add, condition.value)
    case 'level':
      return 'false'
    default:
      return `${SPAN_TEXTS[condition.word]} = ${add(condition.value)}`
  }
}

const logCondition: ConditionSql = (condition, add) => {
  switch (condition.word) {
    case 'level':
      return `r.severity_number between ${add(condition.from)} and ${add(condition.to)}`
    case 'attribute':
      return byAttribute('r.attributes', condition, add)
    case 'environment':
      return byResource(add, condition.value)
    case 'service':
      return `r.service = ${add(condition.value)}`
    case 'name':
      return `r.event_name = ${add(condition.value)}`
    default:
      return 'false'
  }
}

/** What a point is of is with its series. */
const pointCondition: ConditionSql = (condition, add) => {
  const ofSeries = (sql: string) => `r.series_id in (select s.series_id from metric_series s where ${sql})`
  switch (condition.word) {
    case 'attribute':
      return ofSeries(byAttribute('s.attributes', condition, add))
    case 'environment':
      return ofSeries(
        `s.resource_id in (select resource_id from resources where environment = ${add(condition.value)})`,
      )
    case 'service':
      return ofSeries(`s.service = ${add(condition.value)}`)
    case 'name':
      return ofSeries(`s.metric_id in (select metric_id from metrics where name = ${add(condition.value)})`)
    default:
      return 'false'
  }
}

/** A word that a signal has not does not get through the parser. */
const CONDITIONS: Readonly<Record<TelemetrySignal, ConditionSql>> = {
  traces: spanCondition,
  logs: logCondition,
  metrics: pointCondition,
}
