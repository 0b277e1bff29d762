import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { InFlight } from '../../../src/ingest/in-flight.ts'

const forever = new AbortController().signal

/** Whether it resolves before the event loop has turned a few times. */
async function isNow(waiting: Promise<void>): Promise<boolean> {
  return Promise.race([waiting.then(() => true), delay(10).then(() => false)])
}

test('readers wait while the limit is reached, over all streams, until enough is settled', async () => {
  const inFlight = new InFlight(1000, ['a', 'b'])
  inFlight.read('a', { entries: 1, bytes: 600 })
  expect(await isNow(inFlight.room('a', forever))).toBe(true)
  inFlight.read('b', { entries: 2, bytes: 600 })
  const waiting = inFlight.room('a', forever)
  expect(await isNow(waiting)).toBe(false)
  expect(inFlight.of('b')).toEqual({ entries: 2, bytes: 600 })
  inFlight.settled('a', { entries: 1, bytes: 600, records: 0 })
  await waiting
  expect(inFlight.bytes).toBe(600)
})

test('decoded records count, and once they alone reach the limit nothing more is decoded', async () => {
  const inFlight = new InFlight(100_000, ['a'])
  inFlight.read('a', { entries: 1, bytes: 90_000 })
  inFlight.decoded('a', 100)
  expect(inFlight.of('a').bytes).toBeGreaterThan(100_000)
  expect(await isNow(inFlight.room('a', forever)), 'reading').toBe(false)
  expect(await isNow(inFlight.roomForRecords('a', forever)), 'decoding').toBe(true)
  inFlight.decoded('a', 900)
  const waiting = inFlight.roomForRecords('a', forever)
  expect(await isNow(waiting)).toBe(false)
  inFlight.settled('a', { entries: 1, bytes: 90_000, records: 1000 })
  await waiting
  expect([inFlight.of('a'), inFlight.bytes]).toEqual([{ entries: 0, bytes: 0 }, 0])
})

test('waiting for room is counted while it lasts, and when it is given up', async () => {
  const inFlight = new InFlight(1, ['a'])
  inFlight.read('a', { entries: 1, bytes: 1 })
  const stopping = new AbortController()
  const waiting = inFlight.room('a', stopping.signal)
  await delay(20)
  expect(inFlight.pausedMs).toBeGreaterThan(10)
  stopping.abort(new Error('stopped'))
  await expect(waiting).rejects.toThrow('stopped')
  const paused = inFlight.pausedMs
  await delay(20)
  expect(inFlight.pausedMs).toBe(paused)
})

test('a stream whose ingest has failed holds nothing any more, whatever still arrives for it', async () => {
  const inFlight = new InFlight(100, ['a'])
  inFlight.read('a', { entries: 1, bytes: 100 })
  const [room, drained] = [inFlight.room('a', forever), inFlight.drained('a', forever)]
  inFlight.forget('a')
  await Promise.all([room, drained])
  inFlight.settled('a', { entries: 1, bytes: 100, records: 1 })
  inFlight.read('a', { entries: 1, bytes: 100 })
  inFlight.decoded('a', 1)
  expect([inFlight.bytes, inFlight.of('a')]).toEqual([0, { entries: 0, bytes: 0 }])
})

test('a stream that cannot write leaves each of the others a share, and gets what they do not need', async () => {
  const inFlight = new InFlight(800, ['stuck', 'b', 'c'])
  inFlight.read('stuck', { entries: 1, bytes: 599 })
  expect(await isNow(inFlight.room('stuck', forever)), 'past its own share, in what is left').toBe(true)
  inFlight.read('stuck', { entries: 1, bytes: 1 })
  expect(await isNow(inFlight.room('stuck', forever)), 'the shares of the others are kept').toBe(false)
  inFlight.read('b', { entries: 1, bytes: 99 })
  expect(await isNow(inFlight.room('b', forever)), 'within its share').toBe(true)
  inFlight.read('b', { entries: 1, bytes: 1 })
  expect(await isNow(inFlight.room('b', forever)), 'its share is used').toBe(false)
  expect(await isNow(inFlight.room('c', forever))).toBe(true)
  inFlight.forget('c')
  expect(await isNow(inFlight.room('b', forever)), 'what has failed needs no share').toBe(true)
})

test('decoders too have a share each', async () => {
  const inFlight = new InFlight(80_000, ['stuck', 'b', 'c'])
  inFlight.decoded('stuck', 1000)
  expect(await isNow(inFlight.roomForRecords('stuck', forever))).toBe(false)
  expect(await isNow(inFlight.roomForRecords('b', forever))).toBe(true)
})
