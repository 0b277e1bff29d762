/*
 * Runs in every integration file, after all of its own hooks: what the file left open fails it. Each thing is cleaned up
 * after its check, so that cleaning cannot hide a leak.
 */
import { afterAll, expect } from 'vitest'
import { childProcesses } from './child-processes.ts'
import { eventually } from './eventually.ts'
import { undroppedDatabases } from './test-database.ts'
import { clientsOfThisFile, emptyRedis } from './test-redis.ts'

/** A server notices a closed connection only a moment later. */
const PATIENCE_MS = 3000

afterAll(async () => {
  const left = async () =>
    expect([...(await clientsOfThisFile()), ...childProcesses()], 'left open by this file').toEqual([])
  const checks = [
    ...undroppedDatabases().map((database) => database.drop()),
    eventually(left, { timeoutMs: PATIENCE_MS }).finally(emptyRedis),
  ]
  const failed = (await Promise.allSettled(checks)).filter((check) => check.status === 'rejected')
  if (failed.length > 0)
    throw new AggregateError(
      failed.map((check) => check.reason),
      failed.map((check) => String(check.reason)).join('\n'),
    )
})
