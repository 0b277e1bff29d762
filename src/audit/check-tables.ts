import type pg from 'pg'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { OnFailure } from './audit-failure.ts'
import type { BatchGroup } from './batch-groups.ts'
import { compareGroup } from './compare-group.ts'
import { type EntryKey, formatKey, idOf, type KeyRange } from './entry-key.ts'
import { type LedgerHorizon, readLedgerBatches, readLedgerHorizon, widenToBatches } from './ledger-rows.ts'
import { ListedEntries, type ListedEntry } from './listed-entries.ts'
import type { PartitionCoverage } from './partition-coverage.ts'
import { readStoredEntries, type StoredEntry } from './stored-entries.ts'

/** What there is of a signal in PostgreSQL, of all its streams. */
export interface TableCounts {
  /** Ledger rows, and the entries that they list. */
  readonly batches: number
  readonly listed: number
  readonly rows: number
  readonly letters: number
  /** Rows and letters of entries from before the oldest ledger row that is left: it cannot be told whether they were listed. */
  readonly beforeLedger: number
  /** Records that may have been in partitions which are gone: the ledger counts them, and they are not there. */
  readonly withoutPartition: number
  /**
   * Ledger rows that could not be compared: their stream's name tells no signal, or they share ids with such a one or one that reaches beyond
   * the range, or more is there than they counted, which may be of a pruned one of another stream.
   */
  readonly notCompared: number
}

export interface TableCheckOptions {
  /** In a transaction of {@link beginSnapshot}. */
  readonly client: pg.ClientBase
  readonly signal: TelemetrySignal
  readonly range: KeyRange
  readonly coverage: PartitionCoverage
  /** How much older than its commit a record can be. */
  readonly acceptPastDays: number
  readonly stopping: AbortSignal
  readonly onFailure: OnFailure
  readonly onEntries: (count: number) => void
}

type MutableCounts = { -readonly [K in keyof TableCounts]: TableCounts[K] }

/**
 * Compares the ledger of a signal with its rows and letters: both are read in the order of entry ids, side by side, so that memory does not
 * grow with them. The range is widened to whole batches.
 */
export async function checkTables(options: TableCheckOptions): Promise<TableCounts> {
  const { client, signal, coverage, stopping, onFailure } = options
  const counts: MutableCounts = {
    batches: 0,
    listed: 0,
    rows: 0,
    letters: 0,
    beforeLedger: 0,
    withoutPartition: 0,
    notCompared: 0,
  }
  const range = await widenToBatches(client, signal, options.range)
  const horizon = await readLedgerHorizon(client, signal)
  const listing = new ListedEntries({
    batches: readLedgerBatches(client, signal, range),
    range,
    onUnreadable: onFailure,
    onBatch: ({ entryCount }) => {
      counts.batches += 1
      counts.listed += entryCount
    },
  })
  let listed = await listing.next()
  const passListed = async (entry: ListedEntry, stored: StoredEntry | undefined) => {
    await settleListed(entry, stored, { ...options, horizon, counts })
    listed = await listing.next()
  }
  for await (const page of readStoredEntries(client, signal, { range, coverage })) {
    stopping.throwIfAborted()
    for (const stored of page) {
      counts.rows += stored.rows
      counts.letters += stored.letters
      while (listed !== undefined && listed.key < stored.key) await passListed(listed, undefined)
      const timesListed = listed?.key === stored.key ? listed.groups.length : 0
      await checkRecords(stored, { timesListed, horizon, onFailure })
      if (listed?.key === stored.key) await passListed(listed, stored)
      else await checkUnlisted(stored, { horizon, onFailure, counts })
    }
    options.onEntries(page.length)
  }
  while (listed !== undefined) {
    stopping.throwIfAborted()
    await passListed(listed, undefined)
  }
  return counts
}

/** Counts what is there of a listed entry, and compares the batches that end with it. */
async function settleListed(
  { key, groups, ending }: ListedEntry,
  stored: StoredEntry | undefined,
  context: TableCheckOptions & { readonly horizon: LedgerHorizon; readonly counts: MutableCounts },
): Promise<void> {
  const [first, ...others] = groups
  if (first === undefined) return
  const group = others.reduce<BatchGroup>((merged, other) => merged.mergeWith(other), first.merged)
  group.add(key, stored)
  for (const each of ending) {
    if (!each.merged.close()) continue
    const { withoutPartition, notCompared } = await compareGroup(each.merged, context)
    context.counts.withoutPartition += withoutPartition
    context.counts.notCompared += notCompared
  }
}

/** What holds of every entry by itself: no record twice, and the bodies of each span beside it. */
async function checkRecords(
  { key, copies, repeatedIndex, bodyMismatches }: StoredEntry,
  context: { readonly timesListed: number; readonly horizon: LedgerHorizon; readonly onFailure: OnFailure },
): Promise<void> {
  const { timesListed, horizon, onFailure } = context
  const id = formatKey(key)
  if (copies > Math.max(1, timesListed) && mustBeListed(key, horizon)) {
    const listed =
      timesListed > 1 ? `the ledger lists the entry ${timesListed} times` : 'it was accepted once'
    const detail = `record ${repeatedIndex} is there ${copies} times, and ${listed}`
    await onFailure({ kind: 'twice', id, lastId: null, detail })
  }
  if (bodyMismatches > 0) {
    const detail = `${bodyMismatches} of its spans lack their prompt and completion bodies, or have them without saying so or twice`
    await onFailure({ kind: 'bodies', id, lastId: null, detail })
  }
}

async function checkUnlisted(
  stored: StoredEntry,
  context: { readonly horizon: LedgerHorizon; readonly onFailure: OnFailure; readonly counts: MutableCounts },
): Promise<void> {
  const { key, rows, letters } = stored
  if (!mustBeListed(key, context.horizon)) {
    context.counts.beforeLedger += rows + letters
    return
  }
  const detail = `${rows} rows and ${letters} letters bear it, and the ledger lists it for no stream`
  await context.onFailure({ kind: 'not_listed', id: formatKey(key), lastId: null, detail })
}

/** Redis counts `seq` from 0 within a millisecond and never gets so far; one in 16 million of a writer's random ones is smaller. */
const WRITER_SEQ_MIN = 2n ** 40n

/** Whether the ledger row of an entry cannot have been pruned. */
function mustBeListed(key: EntryKey, { streams, writersMs }: LedgerHorizon): boolean {
  const { ms, seq } = idOf(key)
  const byStreams = streams !== undefined && key >= streams
  if (seq < WRITER_SEQ_MIN) return byStreams
  return writersMs !== undefined && ms >= BigInt(writersMs) && (streams === undefined || byStreams)
}
