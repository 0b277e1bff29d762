import { type LetterRef, replayLetters } from '../../ingest/replay-letters.ts'
import { readPrices } from '../../read-prices.ts'
import { readPrivacy } from '../../read-privacy.ts'
import type { LetterFilter } from '../../repositories/letter-filter.ts'
import type { RefusedLetter, ReplayOutcome } from '../../writers/replay-transaction.ts'
import { EXIT_FAILED } from '../report-error.ts'
import { Progress } from '../send/progress.ts'
import { terminalLine } from '../terminal-text.ts'
import type { OpenLetters } from './with-letters.ts'

type Totals = { -readonly [K in Exclude<keyof ReplayOutcome, 'refused'>]: number } & { refused: number }

/**
 * Replays the letters that match. Each one that is refused again is a line on standard output; progress and summary go to standard error. Sets the
 * exit code to 1 when some were refused, or an id is of no letter.
 */
export async function runReplay(
  { repository, pool, settings, signal }: OpenLetters,
  filter: LetterFilter,
  { dryRun }: { readonly dryRun: boolean },
): Promise<void> {
  const progress = new Progress(process.stderr)
  const totals: Totals = { replayed: 0, rows: 0, lettersAdded: 0, taken: 0, refused: 0 }
  if (filter.ids !== undefined) await tellOthers(repository, filter.ids)
  const refs = await repository.streamReplayable(filter, signal)
  try {
    await replayLetters(toRefs(refs), {
      pool,
      recordLimits: {
        ...settings,
        maxRecordBytes: settings.recordMaxBytes,
        maxDepth: settings.recordMaxDepth,
      },
      seriesLimits: {
        maxPerMetric: settings.seriesMaxPerMetric,
        maxPerService: settings.seriesMaxPerService,
      },
      partitionInterval: settings.partitionInterval,
      prices: readPrices(settings.pricesFile),
      privacy: readPrivacy(settings),
      maxRows: settings.batchMaxRows,
      maxBytes: settings.batchMaxBytes,
      dryRun,
      signal,
      onBatch: async (outcome) => {
        add(totals, outcome)
        progress.clear()
        await writeOut(outcome.refused.map(refusedLine).join(''))
        const { replayed: records, refused } = totals
        progress.update({ noun: 'letters', records, refused, bytesRead: 0, totalBytes: undefined })
      },
    })
  } finally {
    refs.destroy()
    progress.clear()
    for (const line of summaryLines(totals, dryRun)) writeNote(line)
    if (signal.aborted) writeNote('interrupted: run it again for the rest')
  }
  if (totals.refused > 0) process.exitCode = EXIT_FAILED
}

async function* toRefs(
  rows: AsyncIterable<[string, LetterRef['signal'], string]>,
): AsyncGenerator<LetterRef> {
  for await (const [letterId, signal, payloadBytes] of rows) {
    yield { letterId, signal, payloadBytes: Number(payloadBytes) }
  }
}

/** Says of ids that cannot be replayed why not. */
async function tellOthers(repository: OpenLetters['repository'], ids: readonly string[]): Promise<void> {
  const states = new Map((await repository.states(ids)).map(({ letterId, state }) => [letterId, state]))
  for (const id of new Set(ids)) {
    const state = states.get(id)
    if (state === 'replayed') writeNote(`${id} was replayed before`)
    if (state === 'purged') writeNote(`${id} was purged: there is nothing left to replay`)
    if (state === undefined) writeNote(`${id} is no dead letter`)
    if (state === undefined || state === 'purged') process.exitCode = EXIT_FAILED
  }
}

function add(totals: Totals, { replayed, rows, lettersAdded, refused, taken }: ReplayOutcome): void {
  totals.replayed += replayed
  totals.rows += rows
  totals.lettersAdded += lettersAdded
  totals.refused += refused.length
  totals.taken += taken
}

function refusedLine({ letterId, reason, detail }: RefusedLetter): string {
  return `${letterId}  ${reason.padEnd(19)}  ${terminalLine(detail)}\n`
}

function summaryLines(totals: Totals, dryRun: boolean): string[] {
  const { replayed, rows, lettersAdded, refused, taken } = totals
  const lines = [
    dryRun
      ? `would replay ${letters(replayed)} as ${rows} rows, refuse ${refused} (PostgreSQL was not asked)`
      : `replayed ${letters(replayed)} as ${rows} rows, refused ${refused} again`,
  ]
  if (lettersAdded > 0) {
    const added = dryRun ? 'would get letters' : 'have letters'
    lines.push(
      `of entries that had been refused as a whole, ${lettersAdded} records are refused and ${added} of their own`,
    )
  }
  if (taken > 0) lines.push(`left ${letters(taken)} to another replay or purge`)
  return lines
}

function letters(count: number): string {
  return `${count} ${count === 1 ? 'dead letter' : 'dead letters'}`
}

function writeNote(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Waits while standard output is full. */
async function writeOut(text: string): Promise<void> {
  if (text === '') return
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
  })
}
