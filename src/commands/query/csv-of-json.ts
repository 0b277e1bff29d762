import { Readable } from 'node:stream'
import { parse, stringify } from 'lossless-json'

/** Rows of JSON text as rows of CSV: of each the members at the paths, `durationNs.p50` or a list of names. Numbers stay digit for digit as they are, null and what is missing are null. */
export function csvOfJson(rows: Readable, at: readonly (string | readonly string[])[]): Readable {
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
