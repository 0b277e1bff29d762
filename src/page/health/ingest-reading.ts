import { parsePrometheus } from './parse-prometheus.ts'

/** What the service says of its ingest at one moment, summed over traces, metrics and logs. */
export interface IngestReading {
  /** When, in milliseconds of one clock. */
  readonly atMs: number
  readonly recordsWritten: number
  readonly deadLetters: number
  readonly entriesRead: number
  /** Entries that wait in the streams; undefined where Redis does not know. */
  readonly lagEntries: number | undefined
  /** Entries that were read and are not committed. */
  readonly pendingEntries: number | undefined
  /** Of the batches so far: time from XADD to COMMIT, summed, and how many there were. */
  readonly delaySeconds: number
  readonly batches: number
  /** False in a process that only answers queries: what it counts says nothing then. */
  readonly isIngesting: boolean
}

const RECORDS = 'observatory_records_written_total'
const LETTERS = 'observatory_records_dead_lettered_total'
const ENTRIES = 'observatory_entries_read_total'
const LAG = 'observatory_stream_lag_entries'
const PENDING = 'observatory_stream_pending_entries'
const DELAY = 'observatory_ingest_delay_seconds_sum'
const BATCHES = 'observatory_ingest_delay_seconds_count'
/** There only in a process that ingests (src/metrics.ts). */
const OF_INGEST = 'observatory_unpriced_calls_total'
const NAMES = new Set([RECORDS, LETTERS, ENTRIES, LAG, PENDING, DELAY, BATCHES, OF_INGEST])

/** Reads what `GET /metrics` answered. */
export function ingestReading(text: string, atMs: number): IngestReading {
  const samples = parsePrometheus(text, NAMES)
  const sum = (name: string) => samples.get(name)?.reduce((total, { value }) => total + value, 0)
  return {
    atMs,
    recordsWritten: sum(RECORDS) ?? 0,
    deadLetters: sum(LETTERS) ?? 0,
    entriesRead: sum(ENTRIES) ?? 0,
    lagEntries: sum(LAG),
    pendingEntries: sum(PENDING),
    delaySeconds: sum(DELAY) ?? 0,
    batches: sum(BATCHES) ?? 0,
    isIngesting: samples.has(OF_INGEST),
  }
}
