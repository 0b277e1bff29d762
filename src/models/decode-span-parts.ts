import { cleanText } from './clean-text.ts'
import { decodeAttributes } from './decode-attributes.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import { type Fields, isPlainObject, readList, readText, readUint32, typeOf } from './decode-fields.ts'
import { readSpanId, readTraceId } from './decode-id.ts'
import { readTime } from './decode-time-field.ts'
import type { SpanEvent, SpanLink } from './span.ts'

const TIME = { unixNano: 'timeUnixNano', shorthands: ['time'] }
const NO_EVENTS: readonly SpanEvent[] = Object.freeze([])
const NO_LINKS: readonly SpanLink[] = Object.freeze([])

/** A span's events. One without a time happened when the span started. */
export function decodeSpanEvents(
  value: unknown,
  start: bigint,
  context: DecodeContext,
): readonly SpanEvent[] {
  const list = value === undefined ? NO_EVENTS : readList(value, 'events', context)
  if (list.length === 0) return NO_EVENTS
  return decodeItems(list, { field: 'events', context }, (fields) => ({
    timeUnixNano: readTime(fields, TIME, context) ?? start,
    name: readEventName(fields.name, context),
    attributes: decodeAttributes(fields.attributes, 'events[].attributes', context),
    droppedAttributesCount: readUint32(
      fields.droppedAttributesCount,
      'events[].droppedAttributesCount',
      context,
    ),
  }))
}

/** A span's links to other spans. */
export function decodeSpanLinks(value: unknown, context: DecodeContext): readonly SpanLink[] {
  const list = value === undefined ? NO_LINKS : readList(value, 'links', context)
  if (list.length === 0) return NO_LINKS
  return decodeItems(list, { field: 'links', context }, (fields) => ({
    traceId: readTraceId(fields.traceId, 'links[].traceId', context) ?? missing('links[].traceId', context),
    spanId: readSpanId(fields.spanId, 'links[].spanId', context) ?? missing('links[].spanId', context),
    traceState: readText(fields.traceState, 'links[].traceState', context),
    flags: readUint32(fields.flags, 'links[].flags', context),
    attributes: decodeAttributes(fields.attributes, 'links[].attributes', context),
    droppedAttributesCount: readUint32(
      fields.droppedAttributesCount,
      'links[].droppedAttributesCount',
      context,
    ),
  }))
}

/** Decodes each object of a list, up to the first refusal. */
export function decodeItems<T>(
  list: readonly unknown[],
  { field, context }: { field: string; context: DecodeContext },
  decode: (fields: Fields) => T,
): readonly T[] {
  const items: T[] = []
  for (const item of list) {
    if (context.rejection !== undefined) break
    if (isPlainObject(item)) items.push(decode(item))
    else refuse(context, 'wrong_type', `${field} must hold objects, not ${typeOf(item)}`)
  }
  return items
}

function readEventName(value: unknown, context: DecodeContext): string {
  if (typeof value === 'string') return cleanText(value, context)
  if (value === undefined || value === null) return missing('events[].name', context)
  refuse(context, 'wrong_type', `events[].name must be text, not ${typeOf(value)}`)
  return ''
}

function missing(field: string, context: DecodeContext): string {
  refuse(context, 'missing_field', `${field} is missing`)
  return ''
}
