import { describe, expect, test } from 'vitest'
import { estimateEntries } from '../../../src/commands/rewind/estimate-entries.ts'

const id = (ms: number, seq = 0) => ({ ms: BigInt(ms), seq: BigInt(seq) })
const stream = {
  length: 1000,
  first: id(1000),
  last: id(2000),
  removed: 0,
  lastDelivered: id(2000),
  lag: 0,
  goesBack: true,
}

describe('the entries from an id on', () => {
  test('are all of them, exactly, up to the first, and none after the last', () => {
    for (const each of [id(0), id(999, 7), id(1000)])
      expect(estimateEntries(stream, each)).toEqual({ entries: 1000, isExact: true })
    expect(estimateEntries(stream, id(2000, 1))).toEqual({ entries: 0, isExact: true })
    expect(estimateEntries({ ...stream, length: 0, first: undefined }, id(5))).toEqual({
      entries: 0,
      isExact: true,
    })
  })

  test('are a share by time in between, at least one', () => {
    expect(estimateEntries(stream, id(1750))).toEqual({ entries: 250, isExact: false })
    expect(estimateEntries(stream, id(2000))).toEqual({ entries: 1, isExact: false })
    const burst = { ...stream, last: id(1000, 999), lastDelivered: id(1000, 999) }
    expect(estimateEntries(burst, id(1000, 500)).isExact).toBe(false)
  })

  test('are told better where Redis knows how many lie after the place of the group', () => {
    const uneven = { ...stream, lastDelivered: id(1500), lag: 900 }
    expect(estimateEntries(uneven, id(1250)).entries).toBe(950)
    expect(estimateEntries(uneven, id(1750)).entries).toBe(450)
    expect(estimateEntries({ ...uneven, lag: undefined }, id(1250)).entries).toBe(750)
  })
})
