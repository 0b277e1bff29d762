import { expect, test } from 'vitest'
import { freshnessRatio } from '../../../src/commands/bench/tail-report.ts'

/** A hundred probes, of which two took so long: of two such runs, the 99th percentile is the shorter one. */
const run = (p99: number) => ({ freshnessMs: Array.from({ length: 100 }, (_, n) => (n < 98 ? 1 : p99)) })

test('freshness with many tails is compared with the runs that had none, of all rounds and of each', () => {
  const runs = [run(100), run(7000), run(110), run(200), run(7000), run(300), run(200)]
  expect(freshnessRatio({ runs })).toEqual({ ratio: 110 / 200, rounds: [110 / 100, 300 / 200] })
})
