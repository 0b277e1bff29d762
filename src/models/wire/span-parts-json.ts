import type { AttributeValue } from '../attributes.ts'
import { stringifyJson } from '../json.ts'
import type { SpanEvent, SpanLink } from '../span.ts'

/** The events of a span as JSON. Nanoseconds are strings, as in OTLP's JSON: a reader's JSON.parse keeps them exact. */
export function eventsJson(events: readonly SpanEvent[]): string {
  return events.length === 0 ? '[]' : stringifyJson(events.map(eventJson))
}

/** The links of a span as JSON. */
export function linksJson(links: readonly SpanLink[]): string {
  return links.length === 0 ? '[]' : stringifyJson(links.map(linkJson))
}

function eventJson(event: SpanEvent): AttributeValue {
  return {
    timeUnixNano: String(event.timeUnixNano),
    name: event.name,
    attributes: event.attributes,
    ...(event.droppedAttributesCount !== undefined && {
      droppedAttributesCount: event.droppedAttributesCount,
    }),
  }
}

function linkJson(link: SpanLink): AttributeValue {
  return {
    traceId: link.traceId,
    spanId: link.spanId,
    ...(link.traceState !== undefined && { traceState: link.traceState }),
    ...(link.flags !== undefined && { flags: link.flags }),
    attributes: link.attributes,
    ...(link.droppedAttributesCount !== undefined && { droppedAttributesCount: link.droppedAttributesCount }),
  }
}
