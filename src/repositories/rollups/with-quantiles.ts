import { pipeline, type Readable, Transform } from 'node:stream'
import type { RolledSource } from './rolled-source.ts'

/** What `rolledQuery` gives: JSON text, then the sketch, the least and the greatest value of each quantile. An answer of rows is the JSON alone. */
type RolledRow = readonly [json: string, ...sketches: (string | null)[]]

/** ln(1.02 / 0.98), as the functions of migrations/0005-rollups.sql have it. */
const LN_GAMMA = 0.0400053346
const DIGITS_OF_A_BUCKET = 12
const PERCENTS = [50, 90, 95, 99]

/** Rows with one column, JSON text that has the quantiles. */
export function withQuantiles(rows: Readable, { quantiles }: Pick<RolledSource, 'quantiles'>): Readable {
  const members = Object.keys(quantiles)
  const told = new Transform({
    objectMode: true,
    transform: ([json, ...sketches]: RolledRow, _encoding, done) => {
      done(null, [sketches.length === 0 ? json : fill(json, members, sketches)])
    },
  })
  // An error of the rows is one of what is made of them, and who leaves that leaves the rows.
  pipeline(rows, told, () => undefined)
  return told
}

/** No text within JSON has a quote that is not escaped, so what is replaced is the member. */
function fill(json: string, members: readonly string[], sketches: readonly (string | null)[]): string {
  return members.reduce((text, member, index) => {
    const [sketch, least, greatest] = sketches.slice(3 * index, 3 * index + 3)
    if (typeof sketch !== 'string' || sketch === '0') return text
    const told = quantilesOf(sketch, { least: BigInt(least ?? 0), greatest: BigInt(greatest ?? 0) })
    return text.replace(`"${member}": null`, `"${member}": ${told}`)
  }, json)
}

/** As `quantiles` of grouped-query.ts tells them: the bucket of the smallest value that so many are not above. */
function quantilesOf(sketch: string, { least, greatest }: { least: bigint; greatest: bigint }): string {
  const counts: number[] = []
  for (let end = sketch.length; end > 0; end -= DIGITS_OF_A_BUCKET)
    counts.push(Number(sketch.slice(Math.max(0, end - DIGITS_OF_A_BUCKET), end)))
  const total = counts.reduce((sum, count) => sum + count, 0)
  const members = PERCENTS.map((percent) => {
    const rank = Math.ceil((percent / 100) * total)
    let sum = 0
    const bucket = counts.findIndex((count) => {
      sum += count
      return sum >= rank
    })
    const value = sketchValue(bucket)
    return `"p${percent}": ${value < least ? least : value > greatest ? greatest : value}`
  })
  return `{${members.join(', ')}}`
}

/** `sketch_value`, of numbers that are the same in JavaScript and in PostgreSQL. */
function sketchValue(bucket: number): bigint {
  return bucket <= 0 ? 0n : BigInt(Math.round(Math.exp((bucket - 2) * LN_GAMMA) * 1.02))
}
