import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TailEvent } from '../../../src/tail/tail-event.ts'
import { TailRecord } from '../../../src/tail/tail-record.ts'
import type { Watcher } from '../../../src/tail/watcher.ts'
import { WatcherGroup } from '../../../src/tail/watcher-group.ts'

const MIB = 1024 * 1024
const MAX_BYTES = 64 * 1024

const group = () => new WatcherGroup<string>({ key: '', service: undefined, matches: () => true })
const codec = { toJson: (text: string) => text, toFacts: () => ({}) as never }
const recordOf = (n: number, bytes = 0) =>
  new TailRecord({ entry: { ms: BigInt(n), seq: 0n }, index: 0 }, String(n).padEnd(bytes), codec)
const gapOf = (entries: number) =>
  ({ kind: 'gap', from: '0-0', to: '0-0', entries, reason: 'trimmed' }) as const

/** Gives the records `from` to before `to`. */
function give(to: WatcherGroup<string>, [from, before]: readonly [number, number], bytes?: number) {
  const ready = new Set<Watcher<string>>()
  for (let n = from; n < before; n += 1) to.give(recordOf(n, bytes), ready)
  return ready
}

/** Takes once. */
async function take(watcher: Watcher<string>): Promise<readonly TailEvent[]> {
  return (await watcher.next(MAX_BYTES, AbortSignal.timeout(1000))) ?? []
}

/** What it is told, in short: records as their numbers, and what was dropped or passed over. */
const told = (events: readonly TailEvent[]) =>
  events.flatMap((event) => {
    if (event.kind === 'record') return Number(event.json.toString())
    if (event.kind === 'dropped') return `dropped ${event.count}`
    return event.kind === 'gap' ? `gap ${event.entries}` : []
  })

describe('those who ask the same', () => {
  test('are given the same list', async () => {
    const of = group()
    const [one, other] = [of.join(), of.join()]
    for (const watcher of [one, other]) watcher.goLive()
    await Promise.all([take(one), take(other)])
    expect(give(of, [0, 3])).toEqual(new Set([one, other]))
    const events = await take(one)
    expect(told(events)).toEqual([0, 1, 2])
    expect(await take(other)).toBe(events)
  })

  test('and one who comes later is given what comes from then on', async () => {
    const of = group()
    of.join()
    give(of, [0, 3])
    const late = of.join()
    expect(give(of, [3, 5]).has(late)).toBe(true)
    expect(told(await take(late))).toEqual([3, 4])
  })

  test('do not wait for one who takes nothing, who is told what was left out', async () => {
    const of = group()
    const [stuck, quick] = [of.join(), of.join()]
    stuck.goLive()
    const seen: unknown[] = []
    for (let n = 0; n < 6000; n += 50) {
      give(of, [n, n + 50])
      seen.push(...told(await take(quick)))
    }
    expect(seen).toEqual(Array.from({ length: 6000 }, (_, n) => n))
    const [first, next] = told(await take(stuck))
    expect(first).toBe(`dropped ${next}`)
    expect(stuck.dropped).toBe(next)
    expect(quick.dropped).toBe(0)
  })

  test('share memory that is bounded, also by bytes', () => {
    const of = group()
    of.join()
    give(of, [0, 20], MIB)
    expect(of.end - of.first).toBeLessThanOrEqual(4)
    expect(of.end).toBe(20)
  })

  test('keep nothing that all of them have taken', async () => {
    const of = group()
    const [one, other, gone] = [of.join(), of.join(), of.join()]
    give(of, [0, 10])
    await take(one)
    of.leave(gone)
    expect(of.first).toBe(0)
    await take(other)
    expect(of.first).toBe(10)
  })

  test('keep only what some have not taken, where never all of them have', async () => {
    const of = group()
    const watchers = [of.join(), of.join()]
    for (let n = 0; n < 4000; n += 10) {
      give(of, [n, n + 10])
      await take(watchers[(n / 10) % 2] as Watcher<string>)
    }
    expect(of.end - of.first).toBeLessThan(1000)
    expect(watchers.map(({ dropped }) => dropped)).toEqual([0, 0])
  })
})

test('a gap is told where it is', async () => {
  const of = group()
  const watcher = of.join()
  give(of, [0, 2])
  watcher.gap(gapOf(7))
  watcher.gap(gapOf(8))
  give(of, [2, 3])
  expect([...told(await take(watcher)), ...told(await take(watcher)), ...told(await take(watcher))]).toEqual([
    0,
    1,
    'gap 7',
    'gap 8',
    2,
  ])
})

test('of gaps that nobody takes the last one grows: none is forgotten', async () => {
  const watcher = group().join()
  for (let n = 0; n < 100; n += 1) watcher.gap(gapOf(1))
  let entries = 0
  for (let n = 0; n < 16; n += 1)
    for (const event of await take(watcher)) entries += Number((event as { entries: number }).entries)
  expect(entries).toBe(100)
})

test('what is let go while one joins is to be read again, and is not told', async () => {
  const of = group()
  const watcher = of.join()
  give(of, [0, 7000])
  expect([watcher.isBehind, watcher.dropped]).toEqual([true, 0])
  watcher.joinAgain()
  expect(watcher.isBehind).toBe(false)
  watcher.goLive()
  give(of, [7000, 7001])
  expect(told(await take(watcher))).toEqual([7000])
})

test('nothing comes after the goodbye', async () => {
  const of = group()
  const watcher = of.join()
  give(of, [0, 1])
  watcher.end({ kind: 'bye', reason: 'shutdown' })
  expect((await take(watcher)).map(({ kind }) => kind)).toEqual(['record', 'bye'])
  give(of, [1, 2])
  expect(await watcher.next(MAX_BYTES, AbortSignal.timeout(1000))).toBeUndefined()
})

test('whoever joins, takes or leaves whenever: each is told of each record since it came, once and in order, as shown or as dropped', async () => {
  const step = fc.oneof(
    fc.record({ give: fc.integer({ min: 1, max: 1500 }) }),
    fc.record({ take: fc.nat(5) }),
    fc.record({ take: fc.nat(5) }),
    fc.constant({ join: true }),
    fc.record({ leave: fc.nat(5) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const of = group()
      const watchers: { watcher: Watcher<string>; next: number }[] = []
      let given = 0
      const takeAll = async (seen: { watcher: Watcher<string>; next: number }) => {
        while (seen.watcher.place < of.end)
          for (const event of await take(seen.watcher)) {
            if (event.kind === 'dropped') seen.next += event.count
            if (event.kind !== 'record') continue
            expect(Number(event.json.toString())).toBe(seen.next)
            seen.next += 1
          }
        expect(seen.next).toBe(given)
      }
      for (const each of steps) {
        if ('give' in each) {
          // Nobody gives anything to a group of none.
          if (watchers.length === 0) continue
          give(of, [given, given + each.give])
          given += each.give
        } else if ('join' in each) {
          const watcher = of.join()
          watcher.goLive()
          watchers.push({ watcher, next: given })
        } else if ('take' in each) {
          const seen = watchers[each.take]
          if (seen !== undefined) await takeAll(seen)
        } else for (const { watcher } of watchers.splice(each.leave, 1)) of.leave(watcher)
      }
      for (const seen of watchers) await takeAll(seen)
      expect(of.first).toBe(watchers.length > 0 ? of.end : of.first)
    }),
    { numRuns: 60 },
  )
})
