import type { LogRecord } from '../models/log-record.ts'
import { LOG_RECORD_TABLE } from './log-record-table.ts'
import { TelemetryWriter, type TelemetryWriterOptions } from './telemetry-writer.ts'

/** Writes log records to PostgreSQL. See {@link TelemetryWriter}. */
export class LogWriter extends TelemetryWriter<LogRecord> {
  constructor(options: TelemetryWriterOptions<LogRecord>) {
    super(LOG_RECORD_TABLE, options)
  }
}
