import type { DecodeContext } from '../decode-context.ts'
import { MAX_INDEXED_TEXT_BYTES } from '../decode-fields.ts'
import { SPAN_ID_DIGITS, TRACE_ID_DIGITS } from '../decode-id.ts'
import { decodeRareSpanFields, type RareSpanFields } from '../decode-span.ts'
import { decodeSpanKind, decodeSpanStatus } from '../decode-span-status.ts'
import { EVALUATION_EVENT } from '../evaluations/read-evaluation.ts'
import type { Span, SpanKind } from '../span.ts'
import { ABSENT, FAIL, TEXT } from './json-scanner.ts'
import type { RecordScan } from './record-scanner.ts'
import type { RecordSlots } from './record-slots.ts'
import { NONE, SCANNED, type ScannedRecord } from './scanned-record.ts'
import { SOURCE_FIELDS, SourceCache } from './source-cache.ts'

/** A span whose ids are hex digits at positions of its bytes. */
export interface ScannedSpan extends ScannedRecord {
  readonly traceIdAt: number
  readonly spanIdAt: number
  /** {@link NONE} for a root. */
  readonly parentSpanIdAt: number
  readonly nameFrom: number
  readonly nameTo: number
  readonly kind: SpanKind
  readonly durationNs: number | undefined
  readonly status: Span['status']
  /** Undefined where it has none of them. */
  readonly rare: RareSpanFields | undefined
}

const RARE = [
  'traceState',
  'flags',
  'events',
  'links',
  'droppedAttributesCount',
  'droppedEventsCount',
  'droppedLinksCount',
] as const

const FIELDS = [
  ...SOURCE_FIELDS,
  'traceId',
  'spanId',
  'parentSpanId',
  'name',
  'kind',
  'status',
  'startTimeUnixNano',
  'endTimeUnixNano',
  'attributes',
  ...RARE,
] as const

const field = (name: (typeof FIELDS)[number]): number => FIELDS.indexOf(name)
const TRACE_ID = field('traceId')
const SPAN_ID = field('spanId')
const PARENT_SPAN_ID = field('parentSpanId')
const NAME = field('name')
const KIND = field('kind')
const STATUS = field('status')
const START = field('startTimeUnixNano')
const END = field('endTimeUnixNano')
const ATTRIBUTES = field('attributes')
const FIRST_RARE = field(RARE[0])

/** Reads spans as OTLP's fields have them: times in unix nanoseconds, attributes as an object. Each pipeline has its own, with its caches. */
export function createSpanScan(): RecordScan {
  const sources = new SourceCache()
  return { fields: FIELDS, scan: (slots, context) => scanSpan(slots, sources, context) }
}

function scanSpan(slots: RecordSlots, sources: SourceCache, context: DecodeContext): ScannedSpan | undefined {
  if (!slots.readTime(START)) return undefined
  const { micros, nanos } = slots
  const traceIdAt = slots.hex(TRACE_ID, TRACE_ID_DIGITS)
  const spanIdAt = slots.hex(SPAN_ID, SPAN_ID_DIGITS)
  const isRoot = slots.isUnset(PARENT_SPAN_ID)
  const parentSpanIdAt = isRoot ? NONE : slots.hex(PARENT_SPAN_ID, SPAN_ID_DIGITS)
  if (traceIdAt === FAIL || spanIdAt === FAIL || (parentSpanIdAt === FAIL && !isRoot)) return undefined
  const nameFrom = slots.fromOf(NAME)
  const nameTo = slots.toOf(NAME)
  if (slots.kindOf(NAME) !== TEXT || nameTo - nameFrom > MAX_INDEXED_TEXT_BYTES) return undefined
  const durationNs = readDuration(slots, micros, nanos)
  if (!slots.isAccepted(micros) || Number.isNaN(durationNs)) return undefined
  const { attributes } = slots
  if (attributes === undefined && !slots.isUnset(ATTRIBUTES)) return undefined
  const isEvaluation = nameTo - nameFrom === EVALUATION_EVENT.length && slots.value(NAME) === EVALUATION_EVENT
  if (attributes?.mayTell === true || isEvaluation) return undefined
  const source = sources.find(slots, context)
  if (source === undefined) return undefined
  const rare = scanRareFields(slots, { micros, nanos }, context)
  if (rare?.events.some(({ name }) => name === EVALUATION_EVENT) === true) return undefined
  const span: ScannedSpan = {
    [SCANNED]: true,
    bytes: slots.source,
    micros,
    nanos,
    source,
    attributes,
    traceIdAt,
    spanIdAt,
    parentSpanIdAt,
    nameFrom,
    nameTo,
    kind: decodeSpanKind(slots.word(KIND), context),
    durationNs,
    status: decodeSpanStatus(slots.word(STATUS), context),
    rare,
  }
  return context.rejection === undefined ? span : undefined
}

/** Undefined where the span has no end yet; NaN where what it says is not as usual. */
function readDuration(slots: RecordSlots, micros: number, nanos: number): number | undefined {
  if (slots.isUnset(END)) return undefined
  if (!slots.readTime(END)) return Number.NaN
  const duration = (slots.micros - micros) * 1000 + slots.nanos - nanos
  return duration >= 0 && duration <= Number.MAX_SAFE_INTEGER ? duration : Number.NaN
}

function scanRareFields(
  slots: RecordSlots,
  { micros, nanos }: { readonly micros: number; readonly nanos: number },
  context: DecodeContext,
): RareSpanFields | undefined {
  let hasAny = false
  for (let rare = FIRST_RARE; rare < FIELDS.length; rare += 1) hasAny ||= slots.kindOf(rare) !== ABSENT
  if (!hasAny) return undefined
  const fields = Object.fromEntries(RARE.map((name, index) => [name, slots.value(FIRST_RARE + index)]))
  return decodeRareSpanFields(fields, BigInt(micros) * 1000n + BigInt(nanos), context)
}
