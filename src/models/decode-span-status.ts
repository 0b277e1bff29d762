import { type DecodeContext, refuse } from './decode-context.ts'
import { isPlainObject, isPresent, parseInteger, readContainer, readText, typeOf } from './decode-fields.ts'
import type { Span, SpanKind, StatusCode } from './span.ts'

/** OTLP's words for the kinds of spans. */
export const SPAN_KINDS: ReadonlyMap<string, SpanKind> = new Map<string, SpanKind>([
  ['unspecified', 0],
  ['internal', 1],
  ['server', 2],
  ['client', 3],
  ['producer', 4],
  ['consumer', 5],
])

/** OTLP's words for how a span ended. */
export const STATUS_CODES: ReadonlyMap<string, StatusCode> = new Map<string, StatusCode>([
  ['unset', 0],
  ['ok', 1],
  ['error', 2],
])

const UNSET: Span['status'] = Object.freeze({ code: 0, message: undefined })

/** A span's kind: OTLP's integer or its word, in any case, with or without `SPAN_KIND_`. 0 when absent. */
export function decodeSpanKind(value: unknown, context: DecodeContext): SpanKind {
  if (!isPresent(value)) return 0
  const kind = readEnum(value, 'SPAN_KIND_', SPAN_KINDS)
  if (kind !== undefined) return kind
  refuseEnum(value, 'kind must be 0 to 5, internal, server, client, producer or consumer', context)
  return 0
}

/** A span's status: `{code, message}`, or the code alone, as OTLP's integer or word. */
export function decodeSpanStatus(value: unknown, context: DecodeContext): Span['status'] {
  if (!isPresent(value)) return UNSET
  const isJson = typeof value === 'string' && value.startsWith('{')
  const status = isJson ? readContainer(value, 'status', context) : value
  if (!isPlainObject(status)) return { code: decodeStatusCode(status, context), message: undefined }
  return {
    code: decodeStatusCode(status.code, context),
    message: readText(status.message, 'status.message', context),
  }
}

function decodeStatusCode(value: unknown, context: DecodeContext): StatusCode {
  if (!isPresent(value)) return 0
  const code = readEnum(value, 'STATUS_CODE_', STATUS_CODES)
  if (code !== undefined) return code
  refuseEnum(value, 'status must be 0 to 2, unset, ok or error', context)
  return 0
}

/** The member of an OTLP enumeration that a number, digits or a word of any case stand for. */
export function readEnum<T extends number>(
  value: unknown,
  prefix: string,
  members: ReadonlyMap<string, T>,
): T | undefined {
  if (typeof value === 'string') {
    const exact = members.get(value)
    if (exact !== undefined) return exact
    const word = value.toUpperCase().startsWith(prefix) ? value.slice(prefix.length) : value
    const member = members.get(word.toLowerCase())
    if (member !== undefined) return member
  }
  const integer = parseInteger(value)
  if (integer === undefined) return undefined
  for (const member of members.values()) if (BigInt(member) === integer) return member
  return undefined
}

export function refuseEnum(value: unknown, rule: string, context: DecodeContext): void {
  const isNumber = typeof value === 'number' || parseInteger(value) !== undefined
  refuse(context, isNumber ? 'out_of_range' : 'wrong_type', `${rule}, not ${typeOf(value)}`)
}
