import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ArchiveBeforeRemoval, WrittenNow } from './archive-before-removal.ts'
import type { ArchiveTask } from './archive-thread.ts'
import { ARCHIVE_SETTINGS, openArchiveStorage } from './open-archive-storage.ts'

/** In the build, and beside what is bundled, it has this name. */
const THREAD = new URL('./archive-thread.js', import.meta.url)
/** A thread that was told to stop and has not ended by then waits for a place of archives that does not answer. */
const STOP_MS = 2000

/**
 * As {@link createArchiveBeforeRemoval}, on a thread of the lowest priority, with a connection of its own: to encode Parquet takes tens of milliseconds at a time, which ingest and
 * queries would wait for.
 *
 * @returns undefined where no archives are kept. @throws ObservatoryError ERR_CONFIG_INVALID for settings that name no place for them.
 */
export function archiveOnThread(settings: ArchiveTask['settings']): ArchiveBeforeRemoval | undefined {
  if (openArchiveStorage(settings) === undefined) return undefined
  const task = taskSettings(settings)
  return async (partition, signal) => {
    signal?.throwIfAborted()
    const worker = new Worker(THREAD, { workerData: { settings: task, partition } satisfies ArchiveTask })
    let written: WrittenNow | undefined
    worker.once('message', (told: WrittenNow | undefined) => {
      written = told
    })
    let cut: NodeJS.Timeout | undefined
    const stop = () => {
      worker.postMessage('stop')
      cut = setTimeout(() => worker.terminate(), STOP_MS)
    }
    signal?.addEventListener('abort', stop, { once: true })
    try {
      // Rejects with what the thread throws.
      const [code] = (await once(worker, 'exit')) as [number]
      if (code === 0) return written
      signal?.throwIfAborted()
      throw new Error(`the thread that archives ${partition.name} ended with ${code}`)
    } finally {
      signal?.removeEventListener('abort', stop)
      clearTimeout(cut)
    }
  }
}

/** The thread is not given what is not its business: tokens, and what cannot be copied to it. */
function taskSettings(settings: ArchiveTask['settings']): ArchiveTask['settings'] {
  const keys = ['databaseUrl', 'archiveFormat', ...ARCHIVE_SETTINGS] as const
  return Object.fromEntries(keys.map((key) => [key, settings[key]])) as unknown as ArchiveTask['settings']
}
