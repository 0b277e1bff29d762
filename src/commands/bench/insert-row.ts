import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { PartitionedTable } from '../../retention/partitions.ts'

/** How a consumer that inserts makes a row of a record of the workload. */
export interface InsertTable {
  readonly table: PartitionedTable
  readonly columns: readonly string[]
  /** One value for each column. */
  values(record: ParsedRecord, id: string): readonly unknown[]
}

/** What JSON.parse makes of a record. */
export type ParsedRecord = Readonly<Record<string, unknown>>

const SEVERITIES: Readonly<Record<string, number>> = { debug: 5, info: 9, warn: 13, error: 17 }
const ORIGIN = ['entry_ms', 'entry_seq', 'record_index'] as const

/** The main columns of each table, without validation: what a consumer that is written in an afternoon fills. */
export const INSERT_TABLES: Readonly<Record<TelemetrySignal, InsertTable>> = {
  traces: {
    table: 'spans',
    columns: [
      'start_time',
      'start_time_unix_nano',
      'resource_id',
      'scope_id',
      ...ORIGIN,
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
      'operation',
      'provider',
      'request_model',
      'input_tokens',
      'output_tokens',
      'session_id',
      'user_id',
    ],
    values(span, id) {
      const [start, end] = [String(span.startTimeUnixNano), String(span.endTimeUnixNano)]
      const attributes = span.attributes as ParsedRecord
      return [
        timestampOf(start),
        start,
        0,
        0,
        ...originOf(id),
        span.traceId,
        3,
        span.status === 'error' ? 2 : 1,
        false,
        Buffer.from(String(span.spanId), 'hex'),
        span.service,
        span.name,
        JSON.stringify(attributes),
        Buffer.from(String(span.parentSpanId), 'hex'),
        String(BigInt(end) - BigInt(start)),
        attributes['gen_ai.operation.name'],
        attributes['gen_ai.provider.name'],
        attributes['gen_ai.request.model'],
        attributes['gen_ai.usage.input_tokens'],
        attributes['gen_ai.usage.output_tokens'],
        attributes['gen_ai.conversation.id'],
        attributes['user.id'],
      ]
    },
  },
  logs: {
    table: 'log_records',
    columns: [
      'time',
      'time_unix_nano',
      'resource_id',
      'scope_id',
      ...ORIGIN,
      'severity_number',
      'has_content',
      'body_is_json',
      'service',
      'attributes',
      'body',
      'severity_text',
      'trace_id',
      'span_id',
    ],
    values(record, id) {
      const [time, level] = [String(record.timeUnixNano), String(record.level)]
      return [
        timestampOf(time),
        time,
        0,
        0,
        ...originOf(id),
        SEVERITIES[level] ?? 0,
        false,
        false,
        record.service,
        JSON.stringify(record.attributes),
        record.message,
        level,
        record.traceId,
        Buffer.from(String(record.spanId), 'hex'),
      ]
    },
  },
  metrics: {
    table: 'metric_points',
    columns: ['time', 'time_unix_nano', 'series_id', ...ORIGIN, 'value'],
    values(point, id) {
      const time = String(point.timeUnixNano)
      return [timestampOf(time), time, seriesOf(point), ...originOf(id), point.value]
    },
  },
}

/** RFC 3339 with microseconds, of unix nanoseconds. */
function timestampOf(unixNano: string): string {
  const iso = new Date(Number(unixNano.slice(0, -6))).toISOString()
  return `${iso.slice(0, -1)}${unixNano.slice(-6, -3)}Z`
}

function originOf(id: string): readonly unknown[] {
  return [...id.split('-'), 0]
}

const series = new Map<string, number>()

/** The number of a point's series, by its content. */
function seriesOf({ name, service, resource, attributes }: ParsedRecord): number {
  const key = JSON.stringify([name, service, resource, attributes])
  const known = series.get(key) ?? series.size + 1
  series.set(key, known)
  return known
}
