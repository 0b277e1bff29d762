import { Readable } from 'node:stream'
import type { DocumentFormat } from '../routes/query-parameters.ts'
import { inChunks } from './in-chunks.ts'
import { type CountedBody, RowCount } from './row-count.ts'

interface Document {
  readonly head: string
  readonly name: string
  readonly items: AsyncIterable<string>
}

/**
 * An object with a list that may be long, as a response body: `json`, the members of `head` and the list as a member of the given name; `ndjson`, the items
 * alone, one a line.
 *
 * Nothing comes before the first item or the end of them, so that a query that fails at once can still be answered with its status; an error later destroys the body.
 *
 * @param head JSON text of an object that is not empty.
 */
export function jsonDocument({ head, name, items }: Document, format: DocumentFormat): CountedBody {
  const counted = new RowCount()
  const chunks = format === 'ndjson' ? lines(items, counted) : document({ head, name, items }, counted)
  return Object.assign(Readable.from(inChunks(chunks), { objectMode: false }), { counted })
}

async function* document({ head, name, items }: Document, counted: RowCount): AsyncGenerator<string> {
  let before = `${head.trimEnd().slice(0, -1)},${JSON.stringify(name)}:[\n`
  for await (const item of items) {
    counted.add(1)
    yield before + item
    before = ',\n'
  }
  yield `${before === ',\n' ? '' : before}\n]}\n`
}

async function* lines(items: AsyncIterable<string>, counted: RowCount): AsyncGenerator<string> {
  for await (const item of items) {
    counted.add(1)
    yield `${item}\n`
  }
}
