/**
 * The closed list of errors this product throws. Bad telemetry is never one of them: it is a
 * {@link Rejection} value. Every error carries a stable `code` and, where there was one, its `cause`.
 */
export type ErrorCode =
  | 'ERR_CONFIG_INVALID'
  | 'ERR_SERVER_UNREACHABLE'
  | 'ERR_SERVER_UNSUITABLE'
  | 'ERR_MIGRATION_FAILED'
  | 'ERR_INGEST_STOPPED'
  | 'ERR_PRODUCER_CLOSED'
  | 'ERR_QUERY_TIMEOUT'
  | 'ERR_ARCHIVE_UNSOUND'
  | 'ERR_USAGE'

/** An error a person can act on: `message` says what happened, to which thing, and what to do. */
export class ObservatoryError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'ObservatoryError'
    this.code = code
  }
}

/** What went wrong, for a log line or a terminal, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join('; ')
  }
  return error instanceof Error ? error.message : String(error)
}

/** The `code` of a system, PostgreSQL (SQLSTATE) or ioredis error, or undefined. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  if (typeof code === 'string') return code
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return undefined
}

const SQLSTATE = /^[0-9A-Z]{5}$/

/** The SQLSTATE of a PostgreSQL error, or undefined for anything that the server did not send. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error)
  return code !== undefined && SQLSTATE.test(code) && !code.startsWith('E') ? code : undefined
}

/**
 * What a failed write means, by SQLSTATE (PostgreSQL appendix A) and by nothing else:
 * - `data`: a row is at fault; find it, dead-letter it, write the rest;
 * - `partition`: a partition is missing; create it, write again;
 * - `schema`: the schema, a grant or our encoder is at fault; stop ingest loudly, keep everything pending;
 * - `unready`: will pass when an operator acts; retry, but say that the service is not ready;
 * - `transient`: will pass by itself; retry with backoff.
 */
export type WriteFailure = 'data' | 'partition' | 'schema' | 'unready' | 'transient'

/** 22P03 invalid_binary_representation, 22P04 bad_copy_file_format: our encoder and the table do not fit, whatever the data. */
const ENCODER_STATES = new Set(['22P03', '22P04'])
/** 55P03 lock_not_available: `lock_timeout` is over. */
export const LOCK_NOT_AVAILABLE = '55P03'

/** Classes whose code alone decides. 0A feature_not_supported, 28 authorization, 3D no such database. */
const UNREADY_CLASSES = new Set(['0A', '28', '3D'])
/** 55000 object_not_in_prerequisite_state, XX001 data_corrupted, XX002 index_corrupted. */
const UNREADY_STATES = new Set(['55000', 'XX001', 'XX002'])
/** 22 data_exception, 23 integrity_constraint_violation, 54 program_limit_exceeded. */
const DATA_CLASSES = new Set(['22', '23', '54'])

/** Decides what a failed write means. See {@link WriteFailure}. */
export function classifyWriteFailure(error: unknown): WriteFailure {
  const state = sqlStateOf(error)
  if (state === undefined) return isProgrammingError(error) ? 'schema' : 'transient'
  if (ENCODER_STATES.has(state) || state.startsWith('42') || isCopyMisfit(error)) return 'schema'
  // 23514 check_violation without a constraint name is "no partition of relation found for row".
  if (state === '23514' && !(error as { constraint?: string }).constraint) return 'partition'
  const sqlClass = state.slice(0, 2)
  if (DATA_CLASSES.has(sqlClass)) return 'data'
  if (UNREADY_CLASSES.has(sqlClass) || UNREADY_STATES.has(state)) return 'unready'
  return 'transient'
}

/** Whether the same work may succeed when simply tried again. The one place that decides it. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof ObservatoryError) return error.code === 'ERR_SERVER_UNREACHABLE'
  const failure = classifyWriteFailure(error)
  return failure === 'transient' || failure === 'unready' || failure === 'partition'
}

/** 08P01 protocol_violation is also what a proxy says of itself; raised while reading COPY's rows, their fields do not fit the columns. */
function isCopyMisfit(error: unknown): boolean {
  const { where } = error as { where?: unknown }
  return sqlStateOf(error) === '08P01' && typeof where === 'string' && where.startsWith('COPY ')
}

/** A defect in our own code must stop ingest and be seen, not be retried for ever. */
function isProgrammingError(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
}
