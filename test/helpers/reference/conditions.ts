import fc from 'fast-check'
import type { FilterWord } from '../../../src/repositories/filter-words.ts'
import type { Facts } from './facts.ts'
import {
  ALIKE,
  DURATIONS,
  ENVIRONMENTS,
  EVALUATION_NAMES,
  EVENT_NAMES,
  KINDS,
  LABELS,
  METRICS,
  MODELS,
  type ModelledRecords,
  OPERATIONS,
  PROMPTS,
  PROVIDERS,
  SERVICES,
  SESSIONS,
  SPAN_NAMES,
  STATUSES,
  USERS,
  ZONES,
} from './random-records.ts'

/** One parameter of a query, and what it means. */
export interface Condition {
  readonly parameter: string
  readonly text: string
  readonly holds: (facts: Facts) => boolean
  /** Of `from` and `to`. */
  readonly nanos?: bigint
}

/** What a filter may ask for: its words, and attributes. */
export type Asked = FilterWord | 'attr'

/** Conditions by one word: as many find something as find nothing. */
export function conditionsBy(word: Asked, records: ModelledRecords): fc.Arbitrary<Condition> {
  return CONDITIONS[word](records)
}

/**
 * Conditions by some of the words, each once, that can be meant together: `from` is not after `to`, and `contains` has a `from`.
 */
export function conditionsTogether(
  words: readonly Asked[],
  records: ModelledRecords,
  { most = 4 }: { readonly most?: number } = {},
): fc.Arbitrary<readonly Condition[]> {
  return fc
    .subarray([...words], { minLength: 1, maxLength: Math.min(most, words.length) })
    .chain((chosen) => fc.tuple(...withFrom(chosen).map((word) => conditionsBy(word, records))))
    .filter((conditions) => {
      const [from, to] = ['from', 'to'].map(
        (word) => conditions.find(({ parameter }) => parameter === word)?.nanos,
      )
      return from === undefined || to === undefined || from <= to
    })
}

function withFrom(words: readonly Asked[]): readonly Asked[] {
  return words.includes('contains') && !words.includes('from') ? [...words, 'from'] : words
}

/** The records of which all conditions hold. */
export function matching<T extends Facts>(records: readonly T[], conditions: readonly Condition[]): T[] {
  return records.filter((record) => conditions.every(({ holds }) => holds(record)))
}

type Given = (records: ModelledRecords) => fc.Arbitrary<Condition>

/** A word without a line here is one that nobody has said the meaning of. */
const CONDITIONS: Readonly<Record<Asked, Given>> = {
  from: (records) => time('from', records, (at, nanos) => at >= nanos),
  to: (records) => time('to', records, (at, nanos) => at < nanos),
  service: () => text('service', SERVICES),
  environment: () => text('environment', ENVIRONMENTS),
  name: () =>
    text('name', [...SPAN_NAMES, ...EVENT_NAMES, ...EVALUATION_NAMES, ...METRICS.map(({ name }) => name)]),
  traceId: (records) => id('traceId', records),
  spanId: (records) => id('spanId', records),
  level: () =>
    fc
      .constantFrom(
        ['trace', 1],
        ['DEBUG', 5],
        ['info', 9],
        ['warn', 13],
        ['warning', 13],
        ['error', 17],
        ['fatal', 21],
      )
      .map(([level, least]) => ({
        parameter: 'level',
        text: String(level),
        holds: ({ severityNumber = 0 }) => severityNumber >= Number(least),
      })),
  status: () => oneOf('status', STATUSES),
  kind: () => oneOf('kind', KINDS),
  minDuration: () => duration('minDuration', (has, wanted) => has >= wanted),
  maxDuration: () => duration('maxDuration', (has, wanted) => has <= wanted),
  model: () => text('model', [...MODELS, 'm-tuned']),
  provider: () => text('provider', PROVIDERS),
  operation: () => text('operation', OPERATIONS),
  prompt: () => text('prompt', PROMPTS),
  user: () => text('user', USERS),
  session: () => text('session', SESSIONS),
  label: () => text('label', LABELS),
  q: () => search(),
  contains: () =>
    fc
      .constantFrom(
        'disk',
        'DISK F',
        'k full',
        'ut',
        '50%',
        '%',
        '_',
        '% _',
        'café',
        'CAFÉ!',
        '(ok)',
        'y, ',
        'event',
        'none',
      )
      .map((part) => ({
        parameter: 'contains',
        text: part,
        holds: ({ body }) => body?.toLowerCase().includes(part.toLowerCase()) === true,
      })),
  attr: () => attribute(),
}

type Text =
  | 'service'
  | 'environment'
  | 'name'
  | 'model'
  | 'provider'
  | 'operation'
  | 'prompt'
  | 'user'
  | 'session'
  | 'label'

function text(word: Text, values: readonly string[]): fc.Arbitrary<Condition> {
  // Upper and lower case differ, and nothing is a pattern.
  const others = [values[0]?.toUpperCase() ?? '', '%', 'nothing']
  return fc
    .oneof(
      { weight: 9, arbitrary: fc.constantFrom(...values) },
      { weight: 1, arbitrary: fc.constantFrom(...others) },
    )
    .map((value) => ({ parameter: word, text: value, holds: (facts) => facts[word] === value }))
}

function oneOf(word: 'status' | 'kind', values: readonly string[]): fc.Arbitrary<Condition> {
  return fc.constantFrom(...values).map((value) => ({
    parameter: word,
    text: value,
    holds: (facts) => facts[word] === values.indexOf(value),
  }))
}

/** Of a span or a log record, in upper or lower case; or of none. */
function id(word: 'traceId' | 'spanId', { spans, logs }: ModelledRecords): fc.Arbitrary<Condition> {
  const ids = [...spans, ...logs].flatMap((record) => record[word] ?? [])
  return fc
    .tuple(fc.constantFrom(...ids, (ids[0] ?? '').replaceAll(/./g, '1')), fc.boolean())
    .map(([value, isUpper]) => ({
      parameter: word,
      text: isUpper ? value.toUpperCase() : value,
      holds: (facts) => facts[word] === value,
    }))
}

/** Exactly of a record, or beside one, written in any way. */
function time(
  word: 'from' | 'to',
  { spans, logs, points, evaluations }: ModelledRecords,
  holds: (at: bigint, nanos: bigint) => boolean,
): fc.Arbitrary<Condition> {
  const ofSignals = [spans, logs, points, evaluations].map((of) => fc.constantFrom(...of.map(({ at }) => at)))
  return fc
    .tuple(
      fc.oneof(...ofSignals),
      // Mostly the very nanosecond, where a record is just inside or just outside.
      fc.constantFrom(0n, 0n, 0n, 0n, 0n, 1n, -1n, 1000n, -86_400_000_000_000n),
      fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom<(nanos: bigint) => string>(String, rfc3339) },
        {
          weight: 1,
          arbitrary: fc.constantFrom<(nanos: bigint) => string>(
            (nanos) => String(nanos / 1_000_000n),
            (nanos) => String(nanos / 1_000_000_000n),
          ),
        },
      ),
    )
    .map(([at, beside, write]) => {
      const written = write(at + beside)
      // What is written as milliseconds or seconds is cut to them.
      const digits = /^\d{10,13}$/.test(written) ? written.padEnd(19, '0') : String(at + beside)
      const nanos = BigInt(digits)
      return { parameter: word, text: written, nanos, holds: (facts) => holds(facts.at, nanos) }
    })
}

function rfc3339(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`
}

function duration(
  word: 'minDuration' | 'maxDuration',
  holds: (has: bigint, wanted: bigint) => boolean,
): fc.Arbitrary<Condition> {
  const forms: readonly (readonly [string, bigint])[] = [
    ['1ms', 1_000_000n],
    ['1.000001ms', 1_000_001n],
    ['250', 250_000_000n],
    ['1.5s', 1_500_000_000n],
    ['3m', 180_000_000_000n],
    ['1h', 3_600_000_000_000n],
  ]
  return fc
    .constantFrom(...forms, ...DURATIONS.map((nanos) => [`${nanos}ns`, nanos] as const))
    .map(([written, nanos]) => ({
      parameter: word,
      text: written,
      holds: ({ durationNs }) => durationNs !== undefined && holds(durationNs, nanos),
    }))
}

/** A value as text, or as what JSON makes of it. */
function attribute(): fc.Arbitrary<Condition> {
  const values: readonly (readonly [string, string])[] = [
    ...ALIKE.map((value) => ['alike', typeof value === 'string' ? value : JSON.stringify(value)] as const),
    ...['42.0', '42.50', 'TRUE', 'none'].map((value) => ['alike', value] as const),
    ...['/', '/cart'].map((value) => ['http.route', value] as const),
    ...['0', '-2', '1.0'].map((value) => ['count', value] as const),
    ...ZONES.map((value) => ['zone', value] as const),
    ['missing', 'null'],
  ]
  return fc.constantFrom(...values).map(([key, value]) => ({
    parameter: `attr.${key}`,
    text: value,
    holds: ({ attributes }) => {
      const has = attributes[key]
      if (typeof has === 'string') return has === value
      if (typeof has === 'number') return value.trim() !== '' && Number(value) === has
      return (typeof has === 'boolean' || has === null) && String(has) === value
    },
  }))
}

interface Term {
  /** In lower case. */
  readonly words: readonly string[]
  readonly isPrefix: boolean
  readonly isExcluded: boolean
  readonly written: string
}

const WORDS = ['disk', 'full', 'timeout', 'upstream', 'retry', 'ok', 'café', '50', 'event', 'none']

/** Words, phrases, prefixes and what is left out, in lower and upper case, with OR between. */
function search(): fc.Arbitrary<Condition> {
  const word = fc.constantFrom(...WORDS)
  const plain = word.map((text) => ({ words: [text], isPrefix: false, written: text }))
  const phrase = fc
    .array(word, { minLength: 1, maxLength: 3 })
    .map((words) => ({ words, isPrefix: false, written: `"${words.join(' ')}"` }))
  const prefix = fc
    .tuple(word, fc.integer({ min: 1, max: 4 }))
    .map(([text, length]) => text.slice(0, length))
    .map((text) => ({ words: [text], isPrefix: true, written: `${text}*` }))
  const term: fc.Arbitrary<Term> = fc
    .tuple(
      fc.oneof({ weight: 3, arbitrary: plain }, phrase, prefix),
      fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
      fc.boolean(),
    )
    .map(([of, isExcluded, isUpper]) => ({
      ...of,
      isExcluded,
      written: `${isExcluded ? '-' : ''}${isUpper ? of.written.toUpperCase() : of.written}`,
    }))
  return fc
    .array(fc.array(term, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })
    .map((alternatives) => ({
      parameter: 'q',
      text: alternatives.map((terms) => terms.map(({ written }) => written).join(' ')).join(' OR '),
      holds: ({ body }) =>
        body !== undefined && alternatives.some((terms) => terms.every((each) => isIn(each, wordsOf(body)))),
    }))
}

function wordsOf(body: string): readonly string[] {
  return body.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}

function isIn({ words, isPrefix, isExcluded }: Term, body: readonly string[]): boolean {
  const isFound = body.some((_, start) =>
    words.every((word, index) => {
      const has = body[start + index]
      return isPrefix ? has?.startsWith(word) === true : has === word
    }),
  )
  return isFound !== isExcluded
}
