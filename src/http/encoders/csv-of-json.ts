import { Readable } from 'node:stream'
import { parse, stringify } from 'lossless-json'

/** Where in a row of JSON a column of CSV is: `durationNs.p50`, or a list of names, the last of which is that of the column. */
export type CsvPath = string | readonly string[]

/** What a column is called. */
export function csvNameOf(path: CsvPath): string {
  return typeof path === 'string' ? path : (path.at(-1) ?? '')
}

/** Rows of JSON text as rows of CSV: of each the members at the paths. Numbers stay digit for digit as they are, null and what is missing are null. */
export function csvOfJson(rows: Readable, at: readonly CsvPath[]): Readable {
  const paths = at.map((path) => (typeof path === 'string' ? path.split('.') : path))
  return Readable.from(fieldsOf(rows as AsyncIterable<readonly [string]>, paths))
}

async function* fieldsOf(
  rows: AsyncIterable<readonly [string]>,
  paths: readonly (readonly string[])[],
): AsyncGenerator<readonly (string | null)[]> {
  for await (const [json] of rows) {
    const record = parse(json)
    yield paths.map((path) => textOf(path.reduce<unknown>(memberOf, record)))
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null
  return typeof value === 'string' ? value : (stringify(value) ?? null)
}
