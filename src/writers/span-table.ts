import type { AttributeValue } from '../models/attributes.ts'
import { genAiColumns } from '../models/gen-ai.ts'
import { hasContent, splitContent } from '../models/gen-ai-content.ts'
import { stringifyJson } from '../models/json.ts'
import type { Span, SpanEvent, SpanLink } from '../models/span.ts'
import type { CopyEncoder } from './copy-encoder.ts'
import {
  encodeOrigin,
  ORIGIN_COLUMNS,
  referToSource,
  type SourceRefs,
  type TelemetryTable,
} from './telemetry-table.ts'

const NANOS_PER_SECOND = 1e9

const GEN_AI_COLUMNS = [
  'operation',
  'provider',
  'request_model',
  'response_model',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'reasoning_tokens',
  'time_to_first_token_ns',
  'cost',
  'session_id',
  'user_id',
  'finish_reason',
  'error_type',
] as const

/** Spans, with prompt and completion bodies in a table beside. */
export const SPAN_TABLE: TelemetryTable<Span, SourceRefs> = {
  signal: 'traces',
  time: (span) => span.startTimeUnixNano,
  refer: referToSource,
  targets: [
    {
      table: 'spans',
      has: () => true,
      columns: [
        'start_time',
        'start_time_unix_nano',
        'resource_id',
        'scope_id',
        ...ORIGIN_COLUMNS,
        'trace_id',
        'kind',
        'status_code',
        'has_content',
        'span_id',
        'service',
        'name',
        'attributes',
        'parent_span_id',
        'duration_ns',
        'status_message',
        'trace_state',
        'flags',
        'dropped_attributes_count',
        'dropped_events_count',
        'dropped_links_count',
        'events',
        'links',
        ...GEN_AI_COLUMNS,
      ],
      encode(encoder, span, { refs, origin }) {
        const { attributes, content } = splitContent(span.attributes)
        encoder.timestamptz(span.startTimeUnixNano)
        encoder.int8(span.startTimeUnixNano)
        encoder.int8(refs.resourceId)
        encoder.int8(refs.scopeId)
        encodeOrigin(encoder, origin)
        encoder.hex(span.traceId)
        encoder.int2(span.kind)
        encoder.int2(span.status.code)
        encoder.bool(content !== undefined)
        encoder.hex(span.spanId)
        encoder.text(span.service)
        encoder.text(span.name)
        encoder.attributes(attributes)
        encoder.hex(span.parentSpanId)
        encoder.int8(
          span.endTimeUnixNano === undefined ? undefined : span.endTimeUnixNano - span.startTimeUnixNano,
        )
        encoder.text(span.status.message)
        encoder.text(span.traceState)
        encoder.int8(span.flags)
        encoder.int8(span.droppedAttributesCount)
        encoder.int8(span.droppedEventsCount)
        encoder.int8(span.droppedLinksCount)
        encoder.jsonb(span.events.length === 0 ? undefined : stringifyJson(span.events.map(eventJson)))
        encoder.jsonb(span.links.length === 0 ? undefined : stringifyJson(span.links.map(linkJson)))
        encodeGenAi(encoder, span)
      },
    },
    {
      table: 'span_contents',
      has: (span) => hasContent(span.attributes),
      columns: ['start_time', ...ORIGIN_COLUMNS, 'trace_id', 'attributes'],
      encode(encoder, span, { origin }) {
        encoder.timestamptz(span.startTimeUnixNano)
        encodeOrigin(encoder, origin)
        encoder.hex(span.traceId)
        encoder.attributes(splitContent(span.attributes).content ?? {})
      },
    },
  ],
}

/** {@link GEN_AI_COLUMNS}. */
function encodeGenAi(encoder: CopyEncoder, span: Span): void {
  const genAi = genAiColumns(span.attributes)
  if (genAi === undefined) {
    encoder.nulls(GEN_AI_COLUMNS.length)
    return
  }
  encoder.text(genAi.operation)
  encoder.text(genAi.provider)
  encoder.text(genAi.requestModel)
  encoder.text(genAi.responseModel)
  encoder.int8(genAi.inputTokens)
  encoder.int8(genAi.outputTokens)
  encoder.int8(genAi.cachedTokens)
  encoder.int8(genAi.reasoningTokens)
  const nanos = Math.round((genAi.timeToFirstTokenSeconds ?? Number.NaN) * NANOS_PER_SECOND)
  encoder.int8(Number.isSafeInteger(nanos) ? nanos : undefined)
  encoder.numeric(genAi.cost)
  encoder.text(genAi.sessionId)
  encoder.text(genAi.userId)
  encoder.text(genAi.finishReason)
  encoder.text(genAi.errorType)
}

/** Nanoseconds as strings, as in OTLP's JSON: a reader's JSON.parse keeps them exact. */
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
