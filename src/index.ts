/** LLM Observatory as a library: writers to PostgreSQL, the XADD client, the service, and the models they share. */

export { type LoadedSettings, loadSettings } from './config.ts'
export { type ErrorCode, isRetryable, ObservatoryError } from './errors.ts'
export { createLogger, type Logger } from './logger.ts'
export { type MigrateOptions, type MigrateResult, migrate } from './migrate.ts'
export type { Attributes, AttributeValue } from './models/attributes.ts'
export type {
  DataPoint,
  Exemplar,
  Measurement,
  MetricDefinition,
  MetricType,
  Temporality,
} from './models/data-point.ts'
export type { DeadLetter } from './models/dead-letter.ts'
export type { LogRecord } from './models/log-record.ts'
export { REJECTION_REASONS, type Rejection, type RejectionReason } from './models/rejection.ts'
export type { InstrumentationScope, Resource } from './models/resource.ts'
export type { Span, SpanEvent, SpanKind, SpanLink, StatusCode } from './models/span.ts'
export { TELEMETRY_SIGNALS, type TelemetrySignal } from './models/telemetry-signal.ts'
export { createPool, type PoolOptions } from './pool.ts'
export { createProducer } from './producer.ts'
export { readPrices } from './read-prices.ts'
export { readPrivacy } from './read-privacy.ts'
export { BadParameter } from './repositories/bad-parameter.ts'
export {
  DeadLetterRepository,
  type FindLetters,
  type LetterJson,
} from './repositories/dead-letter-repository.ts'
export { type EvaluationGroup, EvaluationRepository } from './repositories/evaluation-repository.ts'
export type { RecordFilter } from './repositories/filter.ts'
export { FILTER_WORDS, type FilterWord } from './repositories/filter-words.ts'
export type { FullText } from './repositories/full-text.ts'
export type { GroupedSource, Grouping } from './repositories/grouped-query.ts'
export type { LetterFilter } from './repositories/letter-filter.ts'
export { LogRecordRepository as LogRepository } from './repositories/log-record-repository.ts'
export { MetricRepository } from './repositories/metric-repository.ts'
export type { Aggregate } from './repositories/metrics/aggregates.ts'
export type { MetricQuery } from './repositories/metrics/metric-query.ts'
export type { PageRow } from './repositories/page-records.ts'
export type { RecordPosition, TracePosition } from './repositories/page-token.ts'
export type { TracePage } from './repositories/page-traces.ts'
export { type Conditions, readFilter, type WrittenFilter } from './repositories/read-filter.ts'
export { type ServiceFilter, ServiceRepository } from './repositories/service-repository.ts'
export { SessionRepository } from './repositories/session-repository.ts'
export { readSessionView, type SessionView } from './repositories/session-view.ts'
export {
  LLM_USAGE,
  LOG_LEVELS,
  METRIC_STATISTICS,
  SPAN_STATISTICS,
  StatisticsRepository,
} from './repositories/statistics-repository.ts'
export type { StreamOptions } from './repositories/stream-records.ts'
export { type FoundTrace, TraceRepository } from './repositories/trace-repository.ts'
export { readTraceView, type TraceView } from './repositories/trace-view.ts'
export { type Role, type Service, type ServiceOptions, startService } from './service.ts'
export type { Settings } from './settings.ts'
export { LogWriter } from './writers/log-writer.ts'
export { MetricWriter } from './writers/metric-writer.ts'
export type { BufferStats, TelemetryWriterOptions } from './writers/telemetry-writer.ts'
export { TraceWriter } from './writers/trace-writer.ts'
export type { BatchOutcome } from './writers/write-transaction.ts'
