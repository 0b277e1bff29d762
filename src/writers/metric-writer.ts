import type { DataPoint } from '../models/data-point.ts'
import { METRIC_POINT_TABLE } from './metric-point-table.ts'
import { TelemetryWriter, type TelemetryWriterOptions } from './telemetry-writer.ts'

/** Writes metric data points to PostgreSQL. See {@link TelemetryWriter}. */
export class MetricWriter extends TelemetryWriter<DataPoint> {
  constructor(options: TelemetryWriterOptions<DataPoint>) {
    super(METRIC_POINT_TABLE, options)
  }
}
