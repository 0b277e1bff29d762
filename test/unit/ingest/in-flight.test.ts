import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { InFlight } from '../../../src/ingest/in-flight.ts'

const forever = new AbortController().signal

/** Whether it resolves before the event loop has turned a few times. */
async function isNow(waiting: Promise<void>): Promise<boolean> {
  return Promise.race([waiting.then(() => true), delay(10).then(() => false)])
}

test('readers wait while the limit is reached, over all streams, until enough is settled', async () => {
  const inFlight = new InFlight(1000)
  inFlight.read('a', { entries: 1, bytes: 600 })
  expect(await isNow(inFlight.room(forever))).toBe(true)
  inFlight.read('b', { entries: 2, bytes: 600 })
  const waiting = inFlight.room(forever)
  expect(await isNow(waiting)).toBe(false)
  expect(inFlight.of('b')).toEqual({ entries: 2, bytes: 600 })
  inFlight.settled('a', { entries: 1, bytes: 600, records: 0 })
  await waiting
  expect(inFlight.bytes).toBe(600)
})

test('decoded records count, and once they alone reach the limit nothing more is decoded', async () => {
  const inFlight = new InFlight(100_000)
  inFlight.read('a', { entries: 1, bytes: 90_000 })
  inFlight.decoded('a', 100)
  expect(inFlight.of('a').bytes).toBeGreaterThan(100_000)
  expect(await isNow(inFlight.room(forever)), 'reading').toBe(false)
  expect(await isNow(inFlight.roomForRecords(forever)), 'decoding').toBe(true)
  inFlight.decoded('a', 900)
  const waiting = inFlight.roomForRecords(forever)
  expect(await isNow(waiting)).toBe(false)
  inFlight.settled('a', { entries: 1, bytes: 90_000, records: 1000 })
  await waiting
  expect([inFlight.of('a'), inFlight.bytes]).toEqual([{ entries: 0, bytes: 0 }, 0])
})

test('waiting for room is counted while it lasts, and when it is given up', async () => {
  const inFlight = new InFlight(1)
  inFlight.read('a', { entries: 1, bytes: 1 })
  const stopping = new AbortController()
  const waiting = inFlight.room(stopping.signal)
  await delay(20)
  expect(inFlight.pausedMs).toBeGreaterThan(10)
  stopping.abort(new Error('stopped'))
  await expect(waiting).rejects.toThrow('stopped')
  const paused = inFlight.pausedMs
  await delay(20)
  expect(inFlight.pausedMs).toBe(paused)
})

test('a stream whose ingest has failed holds nothing any more, whatever still arrives for it', async () => {
  const inFlight = new InFlight(100)
  inFlight.read('a', { entries: 1, bytes: 100 })
  const [room, drained] = [inFlight.room(forever), inFlight.drained('a', forever)]
  inFlight.forget('a')
  await Promise.all([room, drained])
  inFlight.settled('a', { entries: 1, bytes: 100, records: 1 })
  inFlight.read('a', { entries: 1, bytes: 100 })
  inFlight.decoded('a', 1)
  expect([inFlight.bytes, inFlight.of('a')]).toEqual([0, { entries: 0, bytes: 0 }])
})
