import type { MetricDefinition } from '../../src/models/data-point.ts'
import { metricIdentity, scopeIdentity } from '../../src/models/identity.ts'
import type { RejectionReason } from '../../src/models/rejection.ts'
import type { InstrumentationScope } from '../../src/models/resource.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import type { Row } from './mint.ts'
import { otlpRequest } from './otlp-request.ts'

/** A way for a record, or an entry, to be refused. */
interface Poison {
  readonly reason: RejectionReason
  /** Default `logs`. */
  readonly signal?: TelemetrySignal
  /** Makes a good record one that is refused alone. */
  readonly spoil?: (record: Row) => unknown
  /** Makes the fields of an entry that is refused as a whole. */
  readonly spoilEntry?: (records: readonly Row[]) => readonly (string | Buffer)[]
}

/** RECORD_MAX_BYTES of the campaign's workers. */
export const RECORD_MAX_BYTES = 65_536

/** SERIES_MAX_PER_METRIC of the campaign's workers. The oracle's own metrics have 7 each. */
export const SERIES_MAX_PER_METRIC = 20

/** Bodies and names that begin so are refused by a constraint that the campaign adds: all that our own checks would let through. */
const REFUSED_TEXT = 'refused by the database'

/** A metric that has all the series it may have already. */
const FULL_METRIC: MetricDefinition = {
  name: 'oracle.full',
  type: 'gauge',
  unit: undefined,
  description: undefined,
  temporality: undefined,
  isMonotonic: undefined,
}

/** A scope whose id is taken by other content. */
const COLLIDING_SCOPE: InstrumentationScope = {
  name: 'oracle.colliding',
  version: undefined,
  schemaUrl: undefined,
  attributes: {},
}

/** Makes a migrated database refuse what is to be refused by it. */
export async function preparePoison(
  query: (text: string, values?: readonly unknown[]) => Promise<unknown>,
): Promise<void> {
  await query(
    `alter table log_records add constraint oracle_refuses check (body not like '${REFUSED_TEXT}%')`,
  )
  await query(`alter table spans add constraint oracle_refuses check (name not like '${REFUSED_TEXT}%')`)
  await query(
    `insert into metric_series (series_id, metric_id, resource_id, scope_id, service, attributes)
     select n, $1, 0, 0, 'nobody', '{}' from generate_series(1, $2::int) n`,
    [metricIdentity(FULL_METRIC).id, SERIES_MAX_PER_METRIC],
  )
  await query(`insert into scopes (scope_id, name, attributes) values ($1, 'other', '{}')`, [
    scopeIdentity(COLLIDING_SCOPE).id,
  ])
}

/** Every kind of refusal that a producer can cause. */
export const POISONS = {
  notJson: {
    reason: 'not_json',
    spoilEntry: (records) => ['json', JSON.stringify(records).slice(0, -1)],
  },
  notProtobuf: {
    reason: 'not_protobuf',
    spoilEntry: (records) => ['otlp', otlpRequest('logs', records, 'protobuf').subarray(0, -1)],
  },
  unknownForm: {
    reason: 'unknown_form',
    spoilEntry: (records) => ['json', JSON.stringify(records), 'level', 'info'],
  },
  wrongType: { reason: 'wrong_type', spoil: (record) => ({ ...record, attributes: 7 }) },
  badTime: { reason: 'bad_time', spoil: (record) => ({ ...record, timeUnixNano: 'yesterday' }) },
  outOfWindow: {
    reason: 'time_out_of_window',
    spoil: (record) => ({ ...record, timeUnixNano: '946684800000000000' }),
  },
  outOfRange: { reason: 'out_of_range', spoil: (record) => ({ ...record, severityNumber: 99 }) },
  tooLarge: { reason: 'too_large', spoil: (record) => ({ ...record, body: 'x'.repeat(RECORD_MAX_BYTES) }) },
  tooDeep: { reason: 'too_deep', spoil: (record) => ({ ...record, body: nest(100) }) },
  missingField: {
    reason: 'missing_field',
    signal: 'traces',
    spoil: ({ name: _, ...record }) => record,
  },
  badId: { reason: 'bad_id', signal: 'traces', spoil: (record) => ({ ...record, spanId: 'not hex' }) },
  refusedLog: {
    reason: 'refused_by_database',
    spoil: (record) => ({ ...record, body: REFUSED_TEXT }),
  },
  refusedSpan: {
    reason: 'refused_by_database',
    signal: 'traces',
    spoil: (record) => ({ ...record, name: REFUSED_TEXT }),
  },
  seriesLimit: {
    reason: 'series_limit',
    signal: 'metrics',
    spoil: (record) => ({ ...record, name: FULL_METRIC.name }),
  },
  hashCollision: {
    reason: 'hash_collision',
    spoil: (record) => ({ ...record, scope: { name: COLLIDING_SCOPE.name } }),
  },
} as const satisfies Record<string, Poison> as Readonly<Record<PoisonKind, Poison>>

export type PoisonKind =
  | 'notJson'
  | 'notProtobuf'
  | 'unknownForm'
  | 'wrongType'
  | 'badTime'
  | 'outOfWindow'
  | 'outOfRange'
  | 'tooLarge'
  | 'tooDeep'
  | 'missingField'
  | 'badId'
  | 'refusedLog'
  | 'refusedSpan'
  | 'seriesLimit'
  | 'hashCollision'

export const POISON_KINDS = Object.keys(POISONS) as readonly PoisonKind[]

function nest(depth: number): unknown {
  return depth === 0 ? 'deep' : [nest(depth - 1)]
}
