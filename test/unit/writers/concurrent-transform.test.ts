import { once } from 'node:events'
import { Readable, type Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concurrentTransform } from '../../../src/writers/concurrent-transform.ts'

interface Job {
  readonly chunk: number
  readonly signal: AbortSignal
  readonly resolve: (result: string) => void
  readonly reject: (error: unknown) => void
}

/** A transform whose work is ended by the test, in the order it likes. */
function held(concurrency: number): { transform: Transform; jobs: Job[]; results: string[] } {
  const jobs: Job[] = []
  const transform = concurrentTransform<number, string>(
    concurrency,
    (chunk, signal) =>
      new Promise((resolve, reject) => {
        jobs.push({ chunk, signal, resolve, reject })
      }),
  )
  const results: string[] = []
  transform.on('data', (result) => results.push(result))
  return { transform, jobs, results }
}

test('at most `concurrency` chunks are in work, and the next begins as soon as one is done', async () => {
  const { transform, jobs } = held(3)
  for (let chunk = 0; chunk < 6; chunk += 1) transform.write(chunk)
  await turn()
  expect(jobs.map(({ chunk }) => chunk)).toEqual([0, 1, 2])
  jobs[1]?.resolve('1')
  await turn()
  expect(jobs.map(({ chunk }) => chunk)).toEqual([0, 1, 2, 3])
  jobs[0]?.resolve('0')
  jobs[2]?.resolve('2')
  await turn()
  expect(jobs.map(({ chunk }) => chunk)).toEqual([0, 1, 2, 3, 4, 5])
  transform.destroy()
})

test('results come in the order in which the work is done', async () => {
  const { transform, jobs, results } = held(3)
  for (let chunk = 0; chunk < 3; chunk += 1) transform.write(chunk)
  await turn()
  for (const index of [2, 0, 1]) {
    jobs[index]?.resolve(String(index))
    await turn()
  }
  expect(results).toEqual(['2', '0', '1'])
  transform.destroy()
})

test('the end waits for the last work', async () => {
  const { transform, jobs, results } = held(4)
  let ended = false
  transform.once('end', () => {
    ended = true
  })
  for (let chunk = 0; chunk < 3; chunk += 1) transform.write(chunk)
  transform.end()
  await turn()
  jobs[0]?.resolve('0')
  jobs[2]?.resolve('2')
  await turn()
  expect(ended).toBe(false)
  jobs[1]?.resolve('1')
  await turn()
  expect(ended).toBe(true)
  expect(results).toEqual(['0', '2', '1'])
})

test('an end without any chunk, and one after all work is done, are ends at once', async () => {
  const { transform: idle } = held(2)
  idle.end()
  await once(idle, 'end')

  const { transform, jobs } = held(2)
  transform.write(0)
  await turn()
  jobs[0]?.resolve('0')
  await turn()
  transform.end()
  await once(transform, 'end')
})

test('a failure ends the stream with its error, and tells the work that goes on', async () => {
  const { transform, jobs, results } = held(3)
  for (let chunk = 0; chunk < 4; chunk += 1) transform.write(chunk, () => undefined)
  await turn()
  const failure = new Error('refused')
  const failed = once(transform, 'error')
  jobs[1]?.reject(failure)
  expect(await failed).toEqual([failure])
  expect(jobs.map(({ signal }) => signal.aborted)).toEqual([true, true, true])
  expect(jobs[0]?.signal.reason).toBe(failure)

  // What is done or fails after that goes nowhere, and the chunk that waited is not begun.
  jobs[0]?.resolve('late')
  jobs[2]?.reject(new Error('late too'))
  await turn()
  expect(results).toEqual([])
  expect(jobs).toHaveLength(3)
})

test('a failure with something that is no Error ends the stream, too', async () => {
  const { transform, jobs } = held(1)
  let error: unknown
  transform.on('error', (thrown) => {
    error = thrown
  })
  transform.write(0)
  await turn()
  jobs[0]?.reject('a string')
  await turn()
  expect(error).toBe('a string')
  expect(transform.closed).toBe(true)
})

test('destroying it tells the work, with the reason where there is one', async () => {
  const { transform, jobs } = held(2)
  transform.on('error', () => undefined)
  transform.write(0)
  await turn()
  const reason = new Error('the reader is gone')
  transform.destroy(reason)
  await turn()
  expect(jobs[0]?.signal.reason).toBe(reason)

  const { transform: silent, jobs: others } = held(2)
  silent.write(0)
  await turn()
  silent.destroy()
  await turn()
  expect(others[0]?.signal.aborted).toBe(true)
  others[0]?.resolve('late')
  await turn()
})

test('in a pipeline, the failure of a stage behind tells the work', async () => {
  let told: AbortSignal | undefined
  const transform = concurrentTransform<number, number>(2, async (chunk, signal) => {
    if (chunk === 0) return chunk
    told = signal
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    throw signal.reason
  })
  const sink = new Writable({
    objectMode: true,
    write: (_chunk, _encoding, callback) => callback(new Error('the sink failed')),
  })
  await expect(pipeline(Readable.from([0, 1]), transform, sink)).rejects.toThrow('the sink failed')
  expect(told?.aborted).toBe(true)
})

test('with nobody to take the results only a bounded number of chunks is begun', async () => {
  const begun: number[] = []
  const transform = concurrentTransform<number, number>(3, async (chunk) => {
    begun.push(chunk)
    return chunk
  })
  const source = Readable.from(Array.from({ length: 1000 }, (_, index) => index))
  source.pipe(transform)
  for (let turns = 0; turns < 50; turns += 1) await turn()
  expect(begun.length).toBeGreaterThanOrEqual(3)
  expect(begun.length).toBeLessThanOrEqual(7)

  const results: number[] = []
  for await (const result of transform) results.push(result)
  expect(results.sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, index) => index))
})

test('whatever the order of completion, each chunk gives one result and never more than `concurrency` are in work', async () => {
  const anyRun = fc.record({
    concurrency: fc.integer({ min: 1, max: 5 }),
    turns: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 30 }),
  })
  await fc.assert(
    fc.asyncProperty(anyRun, async ({ concurrency, turns }) => {
      let working = 0
      let most = 0
      const transform = concurrentTransform<number, number>(concurrency, async (index) => {
        working += 1
        most = Math.max(most, working)
        for (let left = turns[index] ?? 0; left > 0; left -= 1) await turn()
        working -= 1
        return index
      })
      const results: number[] = []
      const sink = new Writable({
        objectMode: true,
        highWaterMark: 1,
        write: (result, _encoding, callback) => {
          results.push(result)
          setImmediate(callback)
        },
      })
      await pipeline(Readable.from([...turns.keys()]), transform, sink)
      expect(results.sort((a, b) => a - b)).toEqual([...turns.keys()])
      expect(most).toBeLessThanOrEqual(concurrency)
    }),
    { numRuns: 60 },
  )
})
