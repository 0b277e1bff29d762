import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { OnFailure } from './audit-failure.ts'
import type { BatchGroup } from './batch-groups.ts'
import { formatKey } from './entry-key.ts'
import type { LedgerHorizon } from './ledger-rows.ts'
import type { PartitionCoverage } from './partition-coverage.ts'
import { RECORD_TABLES } from './stored-entries.ts'

const MS_PER_DAY = 86_400_000

export interface CompareOptions {
  readonly signal: TelemetrySignal
  readonly coverage: PartitionCoverage
  readonly acceptPastDays: number
  readonly horizon: LedgerHorizon
  readonly onFailure: OnFailure
}

/** Compares what the ledger counted of a complete group with what is there. @returns what could not be compared. */
export async function compareGroup(
  group: BatchGroup,
  options: CompareOptions,
): Promise<{ readonly withoutPartition: number; readonly notCompared: number }> {
  const { foundRows, expectedRows, foundLetters, expectedLetters } = group
  if (group.isPartial) return { withoutPartition: 0, notCompared: group.batches }
  // Rows of a pruned batch of another stream can bear the same ids: they come on top.
  const mayHoldMore = options.horizon.streams !== undefined && group.first < options.horizon.streams
  const isExcused = foundRows < expectedRows && mayHaveBeenDropped(group, options)
  const rowsFail = foundRows < expectedRows ? !isExcused : foundRows > expectedRows && !mayHoldMore
  const lettersFail = foundLetters < expectedLetters || (foundLetters > expectedLetters && !mayHoldMore)
  if (rowsFail) await report(group, 'rows', options.onFailure)
  if (lettersFail) await report(group, 'letters', options.onFailure)
  const lacksSome = (rowsFail && foundRows < expectedRows) || (lettersFail && foundLetters < expectedLetters)
  if (lacksSome) await reportDoubtful(group, options.onFailure)
  const holdsMore = foundRows > expectedRows || foundLetters > expectedLetters
  return {
    withoutPartition: isExcused ? expectedRows - foundRows : 0,
    notCompared: holdsMore && mayHoldMore ? group.batches : 0,
  }
}

function mayHaveBeenDropped(
  { earliestCommitMs, latestCommitMs }: BatchGroup,
  { signal, coverage, acceptPastDays }: CompareOptions,
): boolean {
  const fromMs = earliestCommitMs - acceptPastDays * MS_PER_DAY
  return coverage.mayHaveLost(RECORD_TABLES[signal], fromMs, latestCommitMs)
}

async function report(group: BatchGroup, kind: 'rows' | 'letters', onFailure: OnFailure): Promise<void> {
  const [expected, found] =
    kind === 'rows' ? [group.expectedRows, group.foundRows] : [group.expectedLetters, group.foundLetters]
  const batches =
    group.batches === 1
      ? `the batch of ${group.name}, committed`
      : `${group.batches} batches that share entries, one of ${group.name}, committed`
  const detail = `${batches} ${expected} ${kind}, and ${found} are there`
  await onFailure({ kind, id: formatKey(group.first), lastId: formatKey(group.last), detail })
}

async function reportDoubtful(
  { doubtful, doubtfulCount, first, last }: BatchGroup,
  onFailure: OnFailure,
): Promise<void> {
  for (const { key, detail } of doubtful)
    await onFailure({ kind: 'no_record', id: formatKey(key), lastId: null, detail })
  const more = doubtfulCount - doubtful.length
  if (more === 0) return
  const detail = `${more} more entries of it have neither row nor letter`
  await onFailure({ kind: 'no_record', id: formatKey(first), lastId: formatKey(last), detail })
}
