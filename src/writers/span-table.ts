import { SPAN_ID_DIGITS, TRACE_ID_DIGITS } from '../models/decode-id.ts'
import type { RareSpanFields } from '../models/decode-span.ts'
import { evaluationsOfSpan } from '../models/evaluations/evaluations-of-span.ts'
import { floorDivide } from '../models/floor-divide.ts'
import { hasContent, splitContent } from '../models/gen-ai-content.ts'
import { stringifyJson } from '../models/json.ts'
import { NO_PRICES, type PriceList } from '../models/prices/price-list.ts'
import type { ScannedSpan } from '../models/scan/scan-span.ts'
import { timeMsOf } from '../models/scan/scanned-record.ts'
import type { Span } from '../models/span.ts'
import { eventsJson, linksJson } from '../models/wire/span-parts-json.ts'
import type { CopyEncoder } from './copy-encoder.ts'
import { evaluationTarget } from './evaluation-rows.ts'
import { GEN_AI_TABLE_COLUMNS, GenAiEncoder } from './gen-ai-columns.ts'
import {
  type CopyTarget,
  encodeOrigin,
  ORIGIN_COLUMNS,
  type RowOrigin,
  referToScannedSource,
  referToSource,
  type SourceRefs,
  type TelemetryTable,
} from './telemetry-table.ts'

const NANOS_PER_MS = 1_000_000n

interface SpanRow {
  readonly refs: SourceRefs
  readonly origin: RowOrigin
}

/** Spans, with prompt and completion bodies in a table beside. The cost of calls that do not bring one is computed by the `prices`. */
export function createSpanTable(
  prices: PriceList = NO_PRICES,
): TelemetryTable<Span, SourceRefs, ScannedSpan> {
  const genAi = new GenAiEncoder(prices)
  return {
    signal: 'traces',
    time: (span) => span.startTimeUnixNano,
    refer: referToSource,
    referScanned: referToScannedSource,
    targets: [
      {
        table: 'spans',
        columns: SPAN_COLUMNS,
        parsed: { count: () => 1, encode: (encoder, span, row) => encodeSpan(genAi, encoder, span, row) },
        scanned: {
          count: () => 1,
          encode: (encoder, span, row) => encodeScannedSpan(genAi, encoder, span, row),
        },
      },
      SPAN_CONTENTS,
      evaluationTarget({
        signal: 'traces',
        time: (span) => span.startTimeUnixNano,
        find: evaluationsOfSpan,
      }),
    ],
  }
}

const SPAN_COLUMNS = [
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
  ...GEN_AI_TABLE_COLUMNS,
]

const SPAN_CONTENTS: CopyTarget<Span, SourceRefs, ScannedSpan> = {
  table: 'span_contents',
  columns: ['start_time', ...ORIGIN_COLUMNS, 'trace_id', 'attributes'],
  parsed: {
    count: (span) => Number(hasContent(span.attributes)),
    encode(encoder, span, { origin }) {
      encoder.timestamptz(span.startTimeUnixNano)
      encodeOrigin(encoder, origin)
      encoder.hex(span.traceId)
      encoder.jsonb(stringifyJson(splitContent(span.attributes).content ?? {}))
    },
  },
  scanned: {
    count: (span) => Number(span.attributes?.hasContent === true),
    encode(encoder, span, { origin }) {
      encoder.timestamptzOfMicros(span.micros)
      encodeOrigin(encoder, origin)
      encoder.hexDigits(span.bytes, span.traceIdAt, TRACE_ID_DIGITS)
      encoder.object(span.attributes?.split().content)
    },
  },
}

function encodeSpan(genAi: GenAiEncoder, encoder: CopyEncoder, span: Span, { refs, origin }: SpanRow): void {
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
  encoder.jsonb(stringifyJson(attributes))
  encoder.hex(span.parentSpanId)
  encoder.int8(span.endTimeUnixNano === undefined ? undefined : span.endTimeUnixNano - span.startTimeUnixNano)
  encoder.text(span.status.message)
  encodeRareFields(encoder, span)
  genAi.encode(encoder, span.attributes, Number(floorDivide(span.startTimeUnixNano, NANOS_PER_MS)))
}

function encodeScannedSpan(
  genAi: GenAiEncoder,
  encoder: CopyEncoder,
  span: ScannedSpan,
  { refs, origin }: SpanRow,
): void {
  const { bytes, attributes } = span
  const hasContent = attributes?.hasContent === true
  encoder.timestamptzOfMicros(span.micros)
  encoder.unixNano(span.micros, span.nanos)
  encoder.int8(refs.resourceId)
  encoder.int8(refs.scopeId)
  encodeOrigin(encoder, origin)
  encoder.hexDigits(bytes, span.traceIdAt, TRACE_ID_DIGITS)
  encoder.int2(span.kind)
  encoder.int2(span.status.code)
  encoder.bool(hasContent)
  encoder.hexDigits(bytes, span.spanIdAt, SPAN_ID_DIGITS)
  encoder.text(span.source.service)
  encoder.utf8(bytes, span.nameFrom, span.nameTo)
  encoder.object(hasContent ? attributes.split().attributes : attributes)
  encoder.hexDigits(bytes, span.parentSpanIdAt, SPAN_ID_DIGITS)
  encoder.int8(span.durationNs)
  encoder.text(span.status.message)
  if (span.rare === undefined) encoder.nulls(RARE_COLUMNS)
  else encodeRareFields(encoder, span.rare)
  if (attributes === undefined) encoder.nulls(GEN_AI_TABLE_COLUMNS.length)
  else genAi.encodeScanned(encoder, attributes, timeMsOf(span))
}

/** From `trace_state` to `links`. */
const RARE_COLUMNS = 7

function encodeRareFields(encoder: CopyEncoder, rare: RareSpanFields): void {
  encoder.text(rare.traceState)
  encoder.int8(rare.flags)
  encoder.int8(rare.droppedAttributesCount)
  encoder.int8(rare.droppedEventsCount)
  encoder.int8(rare.droppedLinksCount)
  encoder.jsonb(rare.events.length === 0 ? undefined : eventsJson(rare.events))
  encoder.jsonb(rare.links.length === 0 ? undefined : linksJson(rare.links))
}
