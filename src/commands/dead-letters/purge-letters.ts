import type { DeadLetterRepository } from '../../repositories/dead-letter-repository.ts'
import type { LetterFilter } from '../../repositories/letter-filter.ts'
import { EXIT_FAILED } from '../report-error.ts'
import { Progress } from '../send/progress.ts'

/** Purges the letters that match, or counts them. Sets the exit code to 1 when an id is of no letter. */
export async function purgeLetters(
  repository: DeadLetterRepository,
  filter: LetterFilter,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<void> {
  if (filter.ids !== undefined) await tellUnknown(repository, filter.ids)
  if (dryRun) {
    process.stderr.write(`would purge ${letters(await repository.countPurgeable(filter))}\n`)
    return
  }
  const progress = new Progress(process.stderr)
  let purged = 0
  try {
    for await (const count of repository.purge(filter)) {
      purged += count
      progress.update({ noun: 'letters', records: purged, refused: 0, bytesRead: 0, totalBytes: undefined })
      signal.throwIfAborted()
    }
  } finally {
    progress.clear()
    process.stderr.write(`purged ${letters(purged)}${signal.aborted ? ', interrupted' : ''}\n`)
  }
}

async function tellUnknown(repository: DeadLetterRepository, ids: readonly string[]): Promise<void> {
  const known = new Set((await repository.states(ids)).map(({ letterId }) => letterId))
  for (const id of new Set(ids)) {
    if (known.has(id)) continue
    process.stderr.write(`${id} is no dead letter\n`)
    process.exitCode = EXIT_FAILED
  }
}

function letters(count: number): string {
  return `${count} ${count === 1 ? 'dead letter' : 'dead letters'}`
}
