import { decodeAnyValue, isAnyValue } from './any-value.ts'
import type { AttributeValue } from './attributes.ts'
import { beginRecord } from './begin-record.ts'
import { collectAttributes, knownFields } from './decode-attributes.ts'
import { type DecodeContext, finishRecord, refuse } from './decode-context.ts'
import {
  type Fields,
  isPresent,
  readIndexedText,
  readIntegerIn,
  readUint32,
  typeOf,
} from './decode-fields.ts'
import { readSpanId, readTraceId } from './decode-id.ts'
import { decodeScope, decodeServiceAndResource } from './decode-resource.ts'
import { checkWindow, readTime } from './decode-time-field.ts'
import type { LogRecord } from './log-record.ts'
import { normalizeValue } from './normalize-value.ts'
import type { Decoded } from './rejection.ts'
import { severityNumberOf } from './severity.ts'

const LOG_RECORD_FIELDS = knownFields(
  'timeUnixNano',
  'time',
  'timestamp',
  'observedTimeUnixNano',
  'severityNumber',
  'severityText',
  ['level', 'severityText'],
  'body',
  ['message', 'body'],
  'eventName',
  'traceId',
  'spanId',
  'flags',
  'attributes',
  'droppedAttributesCount',
  'service',
  'resource',
  'scope',
  'schemaUrl',
)

const TIME = { unixNano: 'timeUnixNano', shorthands: ['time', 'timestamp'] }
const OBSERVED_TIME = { unixNano: 'observedTimeUnixNano', shorthands: [] }

/** Decodes one loose log record. See {@link LogRecord} for what comes out. */
export function decodeLogRecord(input: unknown, context: DecodeContext): Decoded<LogRecord> {
  const fields = beginRecord(input, context)
  if (fields === undefined) return finishRecord({} as LogRecord, context)
  const observedTimeUnixNano = readTime(fields, OBSERVED_TIME, context)
  const timeUnixNano = readTime(fields, TIME, context) ?? observedTimeUnixNano ?? context.defaultTimeUnixNano
  checkWindow(timeUnixNano, 'the time of the log record', context)
  const { service, resource } = decodeServiceAndResource(fields, context)
  const record: LogRecord = {
    timeUnixNano,
    observedTimeUnixNano,
    ...decodeSeverity(fields, context),
    body: decodeBody(isPresent(fields.body) ? fields.body : (fields.message ?? fields.body), context),
    eventName: readIndexedText(fields.eventName, 'eventName', context),
    traceId: readTraceId(unlessZero(fields.traceId), 'traceId', context),
    spanId: readSpanId(unlessZero(fields.spanId), 'spanId', context),
    flags: readUint32(fields.flags, 'flags', context),
    attributes: collectAttributes(fields, LOG_RECORD_FIELDS, context),
    droppedAttributesCount: readUint32(fields.droppedAttributesCount, 'droppedAttributesCount', context),
    service,
    resource,
    scope: decodeScope(fields, context),
  }
  return finishRecord(record, context)
}

/** From `severityNumber`, `severityText` and `level`. */
export function decodeSeverity(
  fields: Fields,
  context: DecodeContext,
): Pick<LogRecord, 'severityNumber' | 'severityText'> {
  return {
    severityNumber: readSeverityNumber(fields, context),
    severityText: readSeverityText(fields, context),
  }
}

/** What was said as a number, else what the text or level amounts to. */
function readSeverityNumber(fields: Fields, context: DecodeContext): number {
  if (isPresent(fields.severityNumber)) {
    const range = { min: 0n, max: 24n, context }
    const number = Number(readIntegerIn(fields.severityNumber, 'severityNumber', range) ?? 0n)
    if (number !== 0) return number
  }
  return severityNumberOf(fields.severityText) || severityNumberOf(fields.level)
}

/** The text as it was sent. A level that is a number is kept as text only where it means nothing to us. */
function readSeverityText(fields: Fields, context: DecodeContext): string | undefined {
  if (isPresent(fields.severityText)) return readIndexedText(fields.severityText, 'severityText', context)
  const { level } = fields
  if (!isPresent(level)) return undefined
  const isNumber = typeof level === 'number' || typeof level === 'bigint'
  if (!isNumber && typeof level !== 'string') {
    return refuse(context, 'wrong_type', `level must be text or a number, not ${typeOf(level)}`)
  }
  const isKnownNumber = severityNumberOf(level) !== 0 && !Number.isNaN(Number(level))
  return isKnownNumber ? undefined : readIndexedText(String(level), 'level', context)
}

function decodeBody(body: unknown, context: DecodeContext): AttributeValue | undefined {
  if (body === undefined || body === null) return undefined
  return isAnyValue(body) ? decodeAnyValue(body, 0, context) : normalizeValue(body, 0, context)
}

/** An id of zeros only says that the log record belongs to no trace (OTLP, logs.proto). */
function unlessZero(id: unknown): unknown {
  return typeof id === 'string' && /^0{16}(0{16})?$/.test(id) ? undefined : id
}
