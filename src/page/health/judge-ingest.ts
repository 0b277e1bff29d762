import type { IngestReading } from './ingest-reading.ts'

/** What `/readyz` said. */
export interface ReadinessReading {
  readonly ready: boolean
  readonly problems: readonly string[]
}

/** Whether ingest keeps up, as a person wants to know it. */
export interface Verdict {
  readonly state: 'ok' | 'behind' | 'stopped' | 'unknown'
  /** Two or three words. */
  readonly word: string
  /** A sentence. */
  readonly detail: string
  readonly recordsPerSecond: number | undefined
  /** Of what was committed since the reading before: seconds from XADD to COMMIT. */
  readonly delaySeconds: number | undefined
}

/** Of a batch: what waits longer than this is late to somebody who watches. */
const LATE_SECONDS = 5

/** Judges by two readings, seconds apart. */
export function judgeIngest(
  before: IngestReading,
  now: IngestReading,
  { ready, problems }: ReadinessReading,
): Verdict {
  const seconds = (now.atMs - before.atMs) / 1000
  // A service that was started again counts from zero.
  const since = (name: 'recordsWritten' | 'entriesRead' | 'batches' | 'delaySeconds') =>
    now[name] < before[name] ? now[name] : now[name] - before[name]
  const batches = since('batches')
  const figures = {
    recordsPerSecond: now.isIngesting ? since('recordsWritten') / seconds : undefined,
    delaySeconds: batches > 0 ? since('delaySeconds') / batches : undefined,
  }
  const reading = problems.find((problem) => problem.startsWith('ingest of'))
  if (reading !== undefined) return { state: 'stopped', word: 'not reading', detail: reading, ...figures }
  if (!ready) {
    const detail = problems.join('; ') || 'The service says that it is not ready'
    return { state: 'stopped', word: 'not ready', detail, ...figures }
  }
  return { ...judgeBacklog(before, now, since('entriesRead') / seconds, figures.delaySeconds), ...figures }
}

function judgeBacklog(
  before: IngestReading,
  { lagEntries: lag, pendingEntries: pending = 0, isIngesting }: IngestReading,
  entriesPerSecond: number,
  delay: number | undefined,
): Pick<Verdict, 'state' | 'word' | 'detail'> {
  const waited = Math.min(lag ?? 0, before.lagEntries ?? 0)
  if (waited > 0 && isIngesting && entriesPerSecond === 0) {
    const detail = `${lag} entries wait in Redis and none was read for a while`
    return { state: 'stopped', word: 'not reading', detail }
  }
  const wait = isIngesting && waited > 0 ? (lag ?? 0) / entriesPerSecond : 0
  const isGrowing = !isIngesting && waited > 0 && (lag ?? 0) >= (before.lagEntries ?? 0)
  if (wait > LATE_SECONDS || (delay ?? 0) > LATE_SECONDS || isGrowing) {
    const detail = `${lag ?? 'Some'} entries wait in Redis; ${
      delay === undefined
        ? 'they are read later than they come'
        : `the last ones waited ${delay.toFixed(1)} s`
    }`
    return { state: 'behind', word: 'behind', detail }
  }
  const busy = pending > 0 ? `, ${pending} entries are being written` : ''
  return { state: 'ok', word: 'keeping up', detail: `Ingest keeps up with what comes${busy}` }
}
