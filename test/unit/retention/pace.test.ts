import { expect, test } from 'vitest'
import { Pace } from '../../../src/retention/pace.ts'

const workFor = (ms: number) => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

async function restAfter(pace: Pace, workedMs: number, signal?: AbortSignal): Promise<number> {
  workFor(workedMs)
  const startedMs = performance.now()
  await pace.rest(signal)
  return performance.now() - startedMs
}

test('after work there is a rest twice as long, and none after less than can be timed', async () => {
  const pace = new Pace()
  expect(await restAfter(pace, 2)).toBeLessThan(15)
  // What was too short is counted with what comes next.
  expect(await restAfter(pace, 40)).toBeGreaterThan(2 * 38)
  const rest = await restAfter(pace, 60)
  expect(rest).toBeGreaterThan(2 * 57)
})

test('a rest ends with what is to be stopped', async () => {
  const stopping = new AbortController()
  const resting = restAfter(new Pace(), 500, stopping.signal)
  stopping.abort(new Error('stopped'))
  await expect(resting).rejects.toThrow('stopped')
})
