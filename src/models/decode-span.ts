import { beginRecord } from './begin-record.ts'
import { cleanText } from './clean-text.ts'
import { collectAttributes, knownFields } from './decode-attributes.ts'
import { type DecodeContext, finishRecord, refuse } from './decode-context.ts'
import {
  type Fields,
  fitsIndex,
  isPresent,
  MAX_INDEXED_TEXT_BYTES,
  parseDouble,
  readText,
  readUint32,
  typeOf,
} from './decode-fields.ts'
import { readSpanId, readTraceId } from './decode-id.ts'
import { decodeScope, decodeServiceAndResource } from './decode-resource.ts'
import { decodeSpanEvents, decodeSpanLinks } from './decode-span-parts.ts'
import { decodeSpanKind, decodeSpanStatus } from './decode-span-status.ts'
import { inRange } from './decode-time.ts'
import { checkWindow, readTime } from './decode-time-field.ts'
import type { Decoded } from './rejection.ts'
import type { Span } from './span.ts'

const SPAN_FIELDS = knownFields(
  'traceId',
  'spanId',
  'parentSpanId',
  'traceState',
  'flags',
  'name',
  'kind',
  'startTimeUnixNano',
  'startTime',
  'endTimeUnixNano',
  'endTime',
  'durationMs',
  'status',
  'attributes',
  'events',
  'links',
  'droppedAttributesCount',
  'droppedEventsCount',
  'droppedLinksCount',
  'service',
  'resource',
  'scope',
  'schemaUrl',
)

const START = { unixNano: 'startTimeUnixNano', shorthands: ['startTime'] }
const END = { unixNano: 'endTimeUnixNano', shorthands: ['endTime'] }

/** Decodes one loose span. See {@link Span} for what comes out. */
export function decodeSpan(input: unknown, context: DecodeContext): Decoded<Span> {
  const fields = beginRecord(input, context)
  if (fields === undefined) return finishRecord({} as Span, context)
  const startTimeUnixNano = readStart(fields, context)
  const { service, resource } = decodeServiceAndResource(fields, context)
  const span: Span = {
    traceId: readTraceId(fields.traceId, 'traceId', context) ?? missing('traceId', context),
    spanId: readSpanId(fields.spanId, 'spanId', context) ?? missing('spanId', context),
    parentSpanId: readSpanId(fields.parentSpanId, 'parentSpanId', context),
    name: readName(fields.name, context),
    kind: decodeSpanKind(fields.kind, context),
    startTimeUnixNano,
    endTimeUnixNano: readEnd(fields, startTimeUnixNano, context),
    status: decodeSpanStatus(fields.status, context),
    attributes: collectAttributes(fields, SPAN_FIELDS, context),
    ...decodeRareSpanFields(fields, startTimeUnixNano, context),
    service,
    resource,
    scope: decodeScope(fields, context),
  }
  return finishRecord(span, context)
}

/** The fields that most spans do not have. */
export type RareSpanFields = Pick<
  Span,
  | 'traceState'
  | 'flags'
  | 'events'
  | 'links'
  | 'droppedAttributesCount'
  | 'droppedEventsCount'
  | 'droppedLinksCount'
>

/** @param start of the span, in unix nanoseconds: an event without a time has it. */
export function decodeRareSpanFields(fields: Fields, start: bigint, context: DecodeContext): RareSpanFields {
  return {
    traceState: readText(fields.traceState, 'traceState', context),
    flags: readUint32(fields.flags, 'flags', context),
    events: decodeSpanEvents(fields.events, start, context),
    links: decodeSpanLinks(fields.links, context),
    droppedAttributesCount: readUint32(fields.droppedAttributesCount, 'droppedAttributesCount', context),
    droppedEventsCount: readUint32(fields.droppedEventsCount, 'droppedEventsCount', context),
    droppedLinksCount: readUint32(fields.droppedLinksCount, 'droppedLinksCount', context),
  }
}

/** The name of a span or span event. OTLP allows an empty one, but not none. */
function readName(value: unknown, context: DecodeContext): string {
  if (value === undefined || value === null) return missing('name', context)
  if (typeof value !== 'string') {
    refuse(context, 'wrong_type', `name must be text, not ${typeOf(value)}`)
    return ''
  }
  const name = cleanText(value, context)
  if (!fitsIndex(name)) refuse(context, 'too_large', `name must have at most ${MAX_INDEXED_TEXT_BYTES} bytes`)
  return name
}

function missing(field: string, context: DecodeContext): string {
  refuse(context, 'missing_field', `a span must have a ${field}`)
  return ''
}

function readStart(fields: Fields, context: DecodeContext): bigint {
  const start = readTime(fields, START, context)
  if (start === undefined) {
    refuse(context, 'missing_field', 'a span must have a start: startTimeUnixNano or startTime')
    return 0n
  }
  checkWindow(start, 'the start of the span', context)
  return start
}

function readEnd(fields: Fields, start: bigint, context: DecodeContext): bigint | undefined {
  const end = readTime(fields, END, context) ?? readDuration(fields.durationMs, start, context)
  if (end === undefined || end >= start) return end
  return refuse(context, 'bad_time', 'a span must not end before it starts')
}

/** `durationMs` may have a fraction; it is exact to the nanosecond up to 104 days (2^53 ns). */
function readDuration(value: unknown, start: bigint, context: DecodeContext): bigint | undefined {
  if (!isPresent(value)) return undefined
  const nanos = Math.round((parseDouble(value) ?? Number.NaN) * 1e6)
  const end = Number.isFinite(nanos) ? inRange(start + BigInt(nanos)) : undefined
  if (end !== undefined) return end
  return refuse(
    context,
    'bad_time',
    'durationMs must be a number of milliseconds, and the end must fit 64 bits',
  )
}
