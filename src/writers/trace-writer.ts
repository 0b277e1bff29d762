import type { PriceList } from '../models/prices/price-list.ts'
import type { Span } from '../models/span.ts'
import { createSpanTable } from './span-table.ts'
import { TelemetryWriter, type TelemetryWriterOptions } from './telemetry-writer.ts'

export interface TraceWriterOptions extends TelemetryWriterOptions<Span> {
  /** Computes the cost of calls that do not bring one. Without it they have none. */
  readonly prices?: PriceList
}

/** Writes spans to PostgreSQL. See {@link TelemetryWriter}. */
export class TraceWriter extends TelemetryWriter<Span> {
  constructor({ prices, ...options }: TraceWriterOptions) {
    super(createSpanTable(prices), options)
  }
}
