import { Readable } from 'node:stream'
import type { ListFormat } from '../routes/query-parameters.ts'
import { inChunks } from './in-chunks.ts'
import { type CountedBody, RowCount } from './row-count.ts'

/**
 * An object with a list that may be long, as a response body: `json`, the members of `head` and the list as a member of the given name; `ndjson`, the items
 * alone, one a line.
 *
 * Nothing comes before the first item or the end of them, so that a query that fails at once can still be answered with its status; an error later destroys the body.
 *
 * @param head JSON text of an object that is not empty.
 */
export function jsonDocument(
  {
    head,
    name,
    items,
  }: { readonly head: string; readonly name: string; readonly items: AsyncIterable<string> },
  format: ListFormat,
): CountedBody {
  const counted = new RowCount()
  const each = countedItems(items, counted)
  const chunks = format === 'ndjson' ? lines(each) : document(head, name, each)
  return Object.assign(Readable.from(inChunks(chunks), { objectMode: false }), { counted })
}

async function* countedItems(items: AsyncIterable<string>, counted: RowCount): AsyncGenerator<string> {
  for await (const item of items) {
    counted.add(1)
    yield item
  }
}

async function* document(head: string, name: string, items: AsyncIterable<string>): AsyncGenerator<string> {
  let before = `${head.trimEnd().slice(0, -1)},${JSON.stringify(name)}:[\n`
  for await (const item of items) {
    yield before + item
    before = ',\n'
  }
  yield `${before === ',\n' ? '' : before}\n]}\n`
}

async function* lines(items: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const item of items) yield `${item}\n`
}
