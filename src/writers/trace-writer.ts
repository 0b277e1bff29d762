import type { Span } from '../models/span.ts'
import { SPAN_TABLE } from './span-table.ts'
import { TelemetryWriter, type TelemetryWriterOptions } from './telemetry-writer.ts'

/** Writes spans to PostgreSQL. See {@link TelemetryWriter}. */
export class TraceWriter extends TelemetryWriter<Span> {
  constructor(options: TelemetryWriterOptions<Span>) {
    super(SPAN_TABLE, options)
  }
}
