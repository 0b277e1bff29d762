import { Random } from '../../src/demo/random.ts'
import type { RejectionReason } from '../../src/models/rejection.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { type OtlpEncoding, otlpRequest } from './otlp-request.ts'
import { POISONS, type PoisonKind } from './poison.ts'

export type Row = Readonly<Record<string, unknown>>

/** What must become of an entry: these rows and these dead letters, by record index, and nothing else. */
export interface Expected {
  readonly rows: ReadonlyMap<number, Row>
  readonly letters: ReadonlyMap<number, { readonly reason: RejectionReason; readonly payload?: unknown }>
}

export interface MintedEntry {
  readonly signal: TelemetrySignal
  /** Names and values in turn, as XADD takes them. */
  readonly fields: readonly (string | Buffer)[]
  /** Whether it is sent as an export request; else, and while those are held up, it is added by XADD. */
  readonly isExport?: boolean
  readonly expected: Expected
}

/** How an entry is made. `plain` is drawn from seed and number; a `burst` entry is an array of records, those at `poisoned` refused. */
export type Recipe =
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'burst'
      readonly rows: number
      readonly poison: PoisonKind
      readonly poisoned: readonly number[]
    }

export interface MintOptions {
  readonly seed: number
  readonly number: number
  /** The time of record 0 of entry 0, in unix nanoseconds; each entry has a microsecond of its own. */
  readonly baseNano: bigint
  readonly recipe: Recipe
}

const REFUSED_WHEN_WRITTEN: ReadonlySet<RejectionReason> = new Set([
  'refused_by_database',
  'series_limit',
  'hash_collision',
])

const NANOS_PER_ENTRY = 1000n
const NANOS_PER_DAY = 86_400_000_000_000n
/** One entry in this many is two days late, and so needs a partition that nobody made ahead. */
const LATE_EVERY = 97
export const SERVICE = 'oracle'

/** The entry of a number: a function of seed, number, base time and recipe, and of nothing else. */
export function mint(options: MintOptions): MintedEntry {
  const random = new Random(Math.imul(options.seed, 0x9e3779b1) ^ Math.imul(options.number + 1, 0x85ebca77))
  if (options.recipe.kind === 'burst') return mintBurst(options, options.recipe, random)
  const draw = random.next()
  if (draw < 0.005) return { signal: 'logs', fields: ['json', '[]'], expected: expect([]) }
  if (draw < 0.07) return mintFlat(options, random)
  if (draw < 0.2) return mintOtlp(options, random)
  const length = draw < 0.35 ? random.integer(2, 8) : 1
  const signal = draw < 0.5 ? 'traces' : draw < 0.6 ? 'metrics' : 'logs'
  const made = make(signal, length, { options, random })
  const json = JSON.stringify(length === 1 ? made[0]?.sent : made.map(({ sent }) => sent))
  return { signal, fields: ['json', json], expected: expect(made.map(({ row }) => row)) }
}

/** The time of a record: it identifies it, and it has an index. */
export function timeOf(
  { number, baseNano }: Pick<MintOptions, 'number' | 'baseNano'>,
  index: number,
): bigint {
  const late = number % LATE_EVERY === LATE_EVERY - 1 ? 2n * NANOS_PER_DAY : 0n
  return baseNano + BigInt(number) * NANOS_PER_ENTRY + BigInt(index) - late
}

interface Made {
  readonly sent: Row
  readonly row: Row
}

function expect(rows: readonly Row[]): Expected {
  return { rows: new Map(rows.map((row, index) => [index, row])), letters: new Map() }
}

function make(
  signal: TelemetrySignal,
  length: number,
  { options, random }: { readonly options: MintOptions; readonly random: Random },
): Made[] {
  return Array.from({ length }, (_, index) => MAKERS[signal](options, index, random))
}

const MAKERS = { logs: makeLogRecord, traces: makeSpan, metrics: makePoint } as const

function makeLogRecord(options: MintOptions, index: number, random: Random): Made {
  const timeUnixNano = String(timeOf(options, index))
  const severityNumber = random.integer(1, 24)
  const body = words(random, random.integer(1, 12))
  const attributes = makeAttributes(options, random)
  const row = { service: SERVICE, timeUnixNano, severityNumber, body, attributes }
  return { sent: row, row }
}

function makeSpan(options: MintOptions, index: number, random: Random): Made {
  const startTimeUnixNano = String(timeOf(options, index))
  const durationNano = random.integer(0, 1_000_000_000)
  const sent = {
    traceId: hex(random, 32),
    spanId: hex(random, 16),
    name: words(random, 2),
    service: SERVICE,
    startTimeUnixNano,
    endTimeUnixNano: String(BigInt(startTimeUnixNano) + BigInt(durationNano)),
    attributes: makeAttributes(options, random),
  }
  const { endTimeUnixNano: _, ...row } = sent
  return { sent, row: { ...row, durationNano: String(durationNano) } }
}

/** A point's attributes are those of its series, so its number is its value. */
function makePoint(options: MintOptions, index: number, random: Random): Made {
  const row = {
    name: `oracle.metric.${random.integer(0, 3)}`,
    service: SERVICE,
    timeUnixNano: String(timeOf(options, index)),
    value: options.number,
    attributes: { lane: random.integer(0, 6) },
  }
  return { sent: { ...row, type: 'gauge' }, row }
}

/** In the flat form everything is text. */
function mintFlat(options: MintOptions, random: Random): MintedEntry {
  const timeUnixNano = String(timeOf(options, 0))
  const body = words(random, 5)
  const attributes = { 'oracle.number': String(options.number), 'oracle.seed': String(options.seed) }
  const named = { service: SERVICE, timeUnixNano, severityNumber: '9', message: body, ...attributes }
  const row = { service: SERVICE, timeUnixNano, severityNumber: 9, body, attributes }
  return { signal: 'logs', fields: Object.entries(named).flat(), expected: expect([row]) }
}

function mintOtlp(options: MintOptions, random: Random): MintedEntry {
  const signal = random.pick(TELEMETRY_SIGNALS)
  const encoding = random.pick<OtlpEncoding>(['protobuf', 'json'])
  const made = make(signal, random.integer(1, 8), { options, random })
  const sent = made.map((each) => each.sent)
  const fields = ['otlp', otlpRequest(signal, sent, encoding)]
  const expected = expect(made.map(({ row }) => row))
  return { signal, fields, expected, isExport: random.chance(0.5) }
}

function mintBurst(
  options: MintOptions,
  { rows, poison, poisoned }: Extract<Recipe, { kind: 'burst' }>,
  random: Random,
): MintedEntry {
  const { spoil, spoilEntry, reason, signal = 'logs' } = POISONS[poison]
  const made = make(signal, rows, { options, random })
  const good = made.map((each) => each.sent)
  const sent: unknown[] = [...good]
  const expected = { rows: new Map(expect(made.map(({ row }) => row)).rows), letters: new Map() }
  if (spoilEntry !== undefined && poisoned.length > 0) {
    const letters = new Map([[-1, { reason }]])
    return { signal, fields: spoilEntry(good), expected: { rows: new Map(), letters } }
  }
  for (const index of poisoned) {
    const spoilt = spoil?.(made[index]?.sent ?? {})
    sent[index] = spoilt
    expected.rows.delete(index)
    // What is refused when it is written is kept in normal form, what the decoder refuses as it came.
    const payload = REFUSED_WHEN_WRITTEN.has(reason) ? {} : { payload: spoilt }
    expected.letters.set(index, { reason, ...payload })
  }
  return { signal, fields: ['json', JSON.stringify(sent)], expected }
}

function makeAttributes({ seed, number }: MintOptions, random: Random): Row {
  return {
    'oracle.number': number,
    'oracle.seed': seed,
    word: words(random, 1),
    share: random.integer(0, 1_000_000) / 64,
    flag: random.chance(0.5),
    nested: { list: [random.integer(-9, 9), null, words(random, 1)] },
  }
}

const WORDS = [
  'prompt',
  'tôken',
  '模型',
  'retry',
  '"quoted"',
  'tab\there',
  'line\nbreak',
  '🛰',
  'back\\slash',
  'x',
]

function words(random: Random, count: number): string {
  return Array.from({ length: count }, () => WORDS[random.integer(0, WORDS.length - 1)]).join(' ')
}

function hex(random: Random, digits: number): string {
  const text = Array.from({ length: digits - 1 }, () => random.integer(0, 15).toString(16)).join('')
  // An id of zeros is no id.
  return `${text}1`
}
