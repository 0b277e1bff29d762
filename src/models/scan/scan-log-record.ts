import type { DecodeContext } from '../decode-context.ts'
import { MAX_INDEXED_TEXT_BYTES, readUint32 } from '../decode-fields.ts'
import { SPAN_ID_DIGITS, TRACE_ID_DIGITS } from '../decode-id.ts'
import { decodeSeverity } from '../decode-log-record.ts'
import { isEventNameKey } from '../event-name.ts'
import type { LogRecord } from '../log-record.ts'
import { ABSENT, FAIL, TEXT } from './json-scanner.ts'
import type { RecordScan } from './record-scanner.ts'
import type { RecordSlots } from './record-slots.ts'
import { NONE, SCANNED, type ScannedRecord } from './scanned-record.ts'
import { SOURCE_FIELDS, SourceCache } from './source-cache.ts'

/** A log record whose texts are at positions of its bytes; each is {@link NONE} where it has none. */
export interface ScannedLogRecord
  extends ScannedRecord,
    Pick<LogRecord, 'severityNumber' | 'severityText' | 'flags' | 'droppedAttributesCount'> {
  readonly traceIdAt: number
  readonly spanIdAt: number
  readonly bodyFrom: number
  readonly bodyTo: number
  readonly eventNameFrom: number
  readonly eventNameTo: number
  /** {@link NONE} where it was not observed at a time of its own; the nanoseconds that are left in the other. */
  readonly observedMicros: number
  readonly observedNanos: number
}

const FIELDS = [
  ...SOURCE_FIELDS,
  'timeUnixNano',
  'observedTimeUnixNano',
  'severityNumber',
  'severityText',
  'level',
  'body',
  'message',
  'eventName',
  'traceId',
  'spanId',
  'flags',
  'droppedAttributesCount',
  'attributes',
] as const

const field = (name: (typeof FIELDS)[number]): number => FIELDS.indexOf(name)
const TIME = field('timeUnixNano')
const OBSERVED_TIME = field('observedTimeUnixNano')
const SEVERITY_NUMBER = field('severityNumber')
const SEVERITY_TEXT = field('severityText')
const LEVEL = field('level')
const BODY = field('body')
const MESSAGE = field('message')
const EVENT_NAME = field('eventName')
const TRACE_ID = field('traceId')
const SPAN_ID = field('spanId')
const FLAGS = field('flags')
const DROPPED = field('droppedAttributesCount')
const ATTRIBUTES = field('attributes')

/** Reads log records with a text body, with the time in unix nanoseconds or none, attributes as an object. Each pipeline has its own, with its caches. */
export function createLogRecordScan(): RecordScan {
  const sources = new SourceCache()
  return { fields: FIELDS, scan: (slots, context) => scanLogRecord(slots, sources, context) }
}

function scanLogRecord(
  slots: RecordSlots,
  sources: SourceCache,
  context: DecodeContext,
): ScannedLogRecord | undefined {
  // A shorthand beside what it stands for is an attribute.
  if (slots.kindOf(MESSAGE) !== ABSENT && !slots.isUnset(BODY)) return undefined
  if (slots.kindOf(LEVEL) !== ABSENT && !slots.isUnset(SEVERITY_TEXT)) return undefined
  const body = slots.kindOf(MESSAGE) === ABSENT ? BODY : MESSAGE
  const hasBody = slots.kindOf(body) === TEXT
  if (!hasBody && slots.kindOf(body) !== ABSENT) return undefined
  const hasEventName = !slots.isUnset(EVENT_NAME)
  if (hasEventName && !isIndexedText(slots, EVENT_NAME)) return undefined
  const hasTraceId = !slots.isUnset(TRACE_ID)
  const hasSpanId = !slots.isUnset(SPAN_ID)
  const traceIdAt = hasTraceId ? slots.hex(TRACE_ID, TRACE_ID_DIGITS) : NONE
  const spanIdAt = hasSpanId ? slots.hex(SPAN_ID, SPAN_ID_DIGITS) : NONE
  if ((hasTraceId && traceIdAt === FAIL) || (hasSpanId && spanIdAt === FAIL)) return undefined
  const { attributes } = slots
  if (attributes === undefined && !slots.isUnset(ATTRIBUTES)) return undefined
  if (attributes?.hasContent === true || mayBeOfAi(slots)) return undefined
  const isObserved = !slots.isUnset(OBSERVED_TIME)
  if (isObserved && !slots.readTime(OBSERVED_TIME)) return undefined
  const observedMicros = isObserved ? slots.micros : NONE
  const observedNanos = slots.nanos
  if (!readTime(slots, context)) return undefined
  const { micros, nanos } = slots
  const source = sources.find(slots, context)
  if (source === undefined) return undefined
  const record: ScannedLogRecord = {
    [SCANNED]: true,
    bytes: slots.source,
    micros,
    nanos,
    source,
    attributes,
    ...decodeSeverity(
      {
        severityNumber: slots.word(SEVERITY_NUMBER),
        severityText: slots.word(SEVERITY_TEXT),
        level: slots.word(LEVEL),
      },
      context,
    ),
    flags: readUint32(slots.value(FLAGS), 'flags', context),
    droppedAttributesCount: readUint32(slots.value(DROPPED), 'droppedAttributesCount', context),
    traceIdAt,
    spanIdAt,
    bodyFrom: hasBody ? slots.fromOf(body) : NONE,
    bodyTo: hasBody ? slots.toOf(body) : NONE,
    eventNameFrom: hasEventName ? slots.fromOf(EVENT_NAME) : NONE,
    eventNameTo: hasEventName ? slots.toOf(EVENT_NAME) : NONE,
    observedMicros,
    observedNanos,
  }
  return context.rejection === undefined ? record : undefined
}

/** Whether the record is an event of OpenTelemetry's for language models: it may be a message, or tell an evaluation. */
function mayBeOfAi(slots: RecordSlots): boolean {
  const name = slots.value(EVENT_NAME)
  if (typeof name === 'string' && name.startsWith('gen_ai.')) return true
  const { attributes } = slots
  if (attributes?.mayTell !== true) return false
  return attributes.members.keys.some(
    ({ text }, member) => isEventNameKey(text) && String(attributes.value(member)).startsWith('gen_ai.'),
  )
}

/** The record's own time, else that of its entry. One that was only observed is left to the decoder of parsed records. */
function readTime(slots: RecordSlots, { defaultTimeUnixNano }: DecodeContext): boolean {
  if (!slots.isUnset(TIME)) return slots.readTime(TIME) && slots.isAccepted(slots.micros)
  if (!slots.isUnset(OBSERVED_TIME)) return false
  slots.micros = Number(defaultTimeUnixNano / 1000n)
  slots.nanos = Number(defaultTimeUnixNano % 1000n)
  return slots.isAccepted(slots.micros)
}

function isIndexedText(slots: RecordSlots, text: number): boolean {
  return slots.kindOf(text) === TEXT && slots.toOf(text) - slots.fromOf(text) <= MAX_INDEXED_TEXT_BYTES
}
