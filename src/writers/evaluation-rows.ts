import type { Evaluation } from '../models/evaluations/evaluation.ts'
import type { ScannedRecord } from '../models/scan/scanned-record.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { CopyEncoder } from './copy-encoder.ts'
import { type CopyTarget, encodeOrigin, ORIGIN_COLUMNS, type SourceRefs } from './telemetry-table.ts'

/** How a signal's records tell evaluations. */
interface EvaluationSource<T> {
  readonly signal: TelemetrySignal
  readonly time: (record: T) => bigint
  readonly find: (record: T) => readonly Evaluation[]
}

/**
 * The rows of `evaluations` that the records of a signal have. They bear the time of their record, so that both are in partitions of the same time. A record that tells one is
 * never left unparsed.
 */
export function evaluationTarget<T extends object, S extends ScannedRecord>({
  signal,
  time,
  find,
}: EvaluationSource<T>): CopyTarget<T, SourceRefs, S> {
  // Asked for once a record, and then for each row.
  let last: { readonly record: T; readonly found: readonly Evaluation[] } | undefined
  const findOnce = (record: T): readonly Evaluation[] => {
    if (last?.record !== record) last = { record, found: find(record) }
    return last.found
  }
  return {
    table: 'evaluations',
    columns: COLUMNS,
    parsed: {
      count: (record) => findOnce(record).length,
      encode(encoder, record, { refs, origin }, position) {
        const evaluation = findOnce(record)[position]
        if (evaluation === undefined) throw new RangeError(`No evaluation at position ${position}`)
        encoder.timestamptz(time(record))
        encoder.int8(time(record))
        encoder.int8(refs.resourceId)
        encodeOrigin(encoder, origin)
        encoder.int4(position)
        encoder.text(signal)
        encodeEvaluation(encoder, evaluation)
      },
    },
    scanned: { count: () => 0, encode: () => undefined },
  }
}

const COLUMNS = [
  'time',
  'time_unix_nano',
  'resource_id',
  ...ORIGIN_COLUMNS,
  'position',
  'signal',
  'name',
  'score',
  'label',
  'explanation',
  'evaluator',
  'error_type',
  'trace_id',
  'span_id',
  'response_id',
  'session_id',
]

function encodeEvaluation(encoder: CopyEncoder, evaluation: Evaluation): void {
  encoder.text(evaluation.name)
  encoder.float8(evaluation.score)
  encoder.text(evaluation.label)
  encoder.text(evaluation.explanation)
  encoder.text(evaluation.evaluator)
  encoder.text(evaluation.errorType)
  encoder.hex(evaluation.traceId)
  encoder.hex(evaluation.spanId)
  encoder.text(evaluation.responseId)
  encoder.text(evaluation.sessionId)
}
