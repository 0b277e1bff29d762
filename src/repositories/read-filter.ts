import { SPAN_KINDS, STATUS_CODES } from '../models/decode-span-status.ts'
import { parseDuration } from '../models/filter-duration.ts'
import { severityNumberOf } from '../models/severity.ts'
import { BadParameter } from './bad-parameter.ts'
import { type RecordFilter, TEXT_WORDS } from './filter.ts'
import { parseFilterTime } from './filter-time.ts'
import { FILTER_WORDS, type FilterWord } from './filter-words.ts'
import { parseFullText } from './full-text.ts'

/** Words of a filter as people write them; those that begin with `attr.` name attributes. Others are not looked at. */
export type WrittenFilter = Readonly<Partial<Record<FilterWord, string>>> & {
  readonly [attribute: `attr.${string}`]: string
}

/** A filter without how many, in which order, and after what. */
export type Conditions = Omit<RecordFilter, 'limit' | 'order' | 'after'>

const ATTRIBUTE = 'attr.'

/**
 * Reads the words of a filter.
 *
 * @param nowMs unix milliseconds that relative times are relative to.
 * @param options `readsStored` false where nothing that is stored is looked through.
 * @throws BadParameter for a word that cannot be meant.
 */
export function readFilter(words: WrittenFilter, nowMs: number, { readsStored = true } = {}): Conditions {
  for (const [word, schema] of Object.entries(FILTER_WORDS)) check(word as FilterWord, words, schema)
  const { traceId, spanId, level, status, kind, q, contains } = words
  const { from, to } = readTimeRange(words, nowMs)
  if (contains !== undefined && from === undefined && readsStored) {
    const detail =
      'contains reads every record of its time range: give from, too, such as from=-1h; q finds words at any age'
    throw new BadParameter('contains', detail)
  }
  const texts = TEXT_WORDS.filter((word) => words[word] !== undefined).map((word) => [word, words[word]])
  const attributes = Object.entries(words).flatMap(([word, value]) =>
    word.startsWith(ATTRIBUTE) ? [[word.slice(ATTRIBUTE.length), String(value)] as const] : [],
  )
  return {
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...Object.fromEntries(texts),
    ...(traceId !== undefined && { traceId }),
    ...(spanId !== undefined && { spanId }),
    ...(level !== undefined && { minSeverityNumber: readLevel(level) }),
    ...(status !== undefined && { status: STATUS_CODES.get(status) }),
    ...(kind !== undefined && { kind: SPAN_KINDS.get(kind) }),
    ...readDuration(words, 'minDuration'),
    ...readDuration(words, 'maxDuration'),
    ...(attributes.length > 0 && { attributes }),
    ...(q !== undefined && { fullText: parseFullText(q) }),
    ...(contains !== undefined && { contains }),
  }
}

/** The time range, in unix nanoseconds. @throws BadParameter for what is no time. */
export function readTimeRange(
  words: { readonly from?: string; readonly to?: string },
  nowMs: number,
): Pick<RecordFilter, 'from' | 'to'> {
  const time = (word: 'from' | 'to'): bigint | undefined => {
    const text = words[word]
    const parsed = text === undefined ? undefined : parseFilterTime(text, nowMs)
    if (text === undefined || parsed !== undefined) return parsed
    throw new BadParameter(
      word,
      `${word} must be a time between 1678 and 2262: RFC 3339, a date, unix, or relative like -15m`,
    )
  }
  const from = time('from')
  const to = time('to')
  if (from !== undefined && to !== undefined && from > to) {
    throw new BadParameter('from', 'from must not be after to')
  }
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
}

/** As a JSON Schema is checked: HTTP has done it, the command line and the library have not. */
function check(
  word: FilterWord,
  words: WrittenFilter,
  {
    pattern,
    maxLength = Number.POSITIVE_INFINITY,
    enum: choices,
    description,
  }: (typeof FILTER_WORDS)[FilterWord] & {
    readonly pattern?: string
    readonly maxLength?: number
    readonly enum?: readonly string[]
  },
): void {
  const text = words[word]
  if (text === undefined) return
  if (text.length > maxLength)
    throw new BadParameter(word, `${word} must have at most ${maxLength} characters`)
  if (choices?.includes(text) === false)
    throw new BadParameter(word, `${word} must be one of ${choices.join(', ')}`)
  if (pattern !== undefined && !new RegExp(pattern).test(text))
    throw new BadParameter(word, `${word} is not valid: ${description}`)
}

function readDuration(
  words: WrittenFilter,
  word: 'minDuration' | 'maxDuration',
): Pick<RecordFilter, typeof word> {
  const text = words[word]
  if (text === undefined) return {}
  const duration = parseDuration(text)
  if (duration !== undefined) return { [word]: duration }
  throw new BadParameter(word, `${word} must be a duration: 250ms, 1.5s, 2m; units ns, us, ms, s, m, h, d`)
}

function readLevel(level: string): number {
  const severityNumber = severityNumberOf(level)
  if (severityNumber !== 0) return severityNumber
  throw new BadParameter('level', 'level must be one of trace, debug, info, warn, error, fatal')
}
