/*
 * Runs in a worker thread (archiveOnThread): archives one partition, tells what was written, and ends. It is told to stop by a message.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { giveWay } from '../../give-way.ts'
import { createPool } from '../../pool.ts'
import { type ArchivingSettings, createArchiveBeforeRemoval } from './archive-before-removal.ts'
import type { ArchivePartition } from './archive-context.ts'

/** What it is started with. */
export interface ArchiveTask {
  readonly settings: ArchivingSettings & { readonly databaseUrl: string }
  readonly partition: ArchivePartition
}

const { settings, partition } = workerData as ArchiveTask
// Elsewhere it would be the whole process.
if (process.platform === 'linux') giveWay()
const stopping = new AbortController()
parentPort?.once('message', () => stopping.abort(new Error('Archiving was stopped')))
parentPort?.unref()
const pool = createPool({
  databaseUrl: settings.databaseUrl,
  applicationName: 'observatory:archive',
  max: 1,
  onError: () => undefined,
})
try {
  const archive = createArchiveBeforeRemoval(pool, settings)
  parentPort?.postMessage(await archive?.(partition, stopping.signal))
} finally {
  await pool.end()
}
