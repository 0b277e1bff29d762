import type { RejectionReason } from '../../src/models/rejection.ts'
import type { Row } from './mint.ts'

/** A way for a record, or an entry, to be refused. */
interface Poison {
  readonly reason: RejectionReason
  readonly signal?: 'logs' | 'traces'
  /** Makes a good record one that is refused alone. */
  readonly spoil?: (record: Row) => unknown
  /** Makes the fields of an entry that is refused as a whole. */
  readonly spoilEntry?: (json: string) => readonly string[]
}

/** RECORD_MAX_BYTES of the campaign's workers. */
export const RECORD_MAX_BYTES = 65_536

/** Bodies and names that begin so are refused by a constraint that the campaign adds: all that our own checks would let through. */
export const REFUSED_TEXT = 'refused by the database'

export const REFUSING_CONSTRAINTS = [
  `alter table log_records add constraint oracle_refuses check (body not like '${REFUSED_TEXT}%')`,
  `alter table spans add constraint oracle_refuses check (name not like '${REFUSED_TEXT}%')`,
] as const

/** Every kind of refusal that a producer can cause. */
export const POISONS = {
  notJson: { reason: 'not_json', spoilEntry: (json) => ['json', json.slice(0, -1)] },
  unknownForm: { reason: 'unknown_form', spoilEntry: (json) => ['json', json, 'level', 'info'] },
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
} as const satisfies Record<string, Poison> as Readonly<Record<PoisonKind, Poison>>

export type PoisonKind =
  | 'notJson'
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

export const POISON_KINDS = Object.keys(POISONS) as readonly PoisonKind[]

function nest(depth: number): unknown {
  return depth === 0 ? 'deep' : [nest(depth - 1)]
}
