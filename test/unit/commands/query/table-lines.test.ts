import { describe, expect, test } from 'vitest'
import { type Paint, paintFor } from '../../../../src/commands/query/paint.ts'
import type { TableColumn } from '../../../../src/commands/query/table-column.ts'
import { tableLines } from '../../../../src/commands/query/table-lines.ts'

interface Row {
  readonly name: string
  readonly count: number
  readonly note: string
}

const COLUMNS: readonly TableColumn<Row>[] = [
  { heading: 'NAME', cell: ({ name }) => name, maxWidth: 8 },
  { heading: 'COUNT', cell: ({ count }) => String(count), align: 'right', needsWidth: 40 },
  { heading: 'NOTE', cell: ({ note }) => note, style: () => 'bad' },
]
const plain: Paint = (text) => text

async function table(rows: readonly Row[], width?: number, paint = plain): Promise<string> {
  const source = (async function* () {
    yield* rows
  })()
  let text = ''
  for await (const chunk of tableLines(source, COLUMNS, { width, paint })) text += chunk
  return text
}

const row = (name: string, note = '', count = 7): Row => ({ name, count, note })

describe('a table of a stream', () => {
  test('on a terminal cuts cells at their width and lines at the edge, and never wraps', async () => {
    const text = await table([row('a', 'x'.repeat(100)), row('a very long name', 'y', 12345)], 40)
    expect(text).toBe(`NAME      COUNT  NOTE\na             7  ${'x'.repeat(22)}…\na very …  12345  y\n`)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(40)
  })

  test('leaves out columns that a narrow terminal has no room for', async () => {
    expect(await table([row('a', 'b')], 39)).toBe('NAME  NOTE\na     b\n')
  })

  test('elsewhere has everything whole', async () => {
    const long = 'z'.repeat(500)
    expect(await table([row('a very long name', long)])).toBe(
      `NAME              COUNT  NOTE\na very long name      7  ${long}\n`,
    )
  })

  test('has each of many rows once, in order, those after the first hundreds too', async () => {
    const rows = Array.from({ length: 1001 }, (_, index) => row(`n${index}`, '', index))
    const lines = (await table(rows)).trimEnd().split('\n')
    expect(lines[0]).toMatch(/^NAME/)
    expect(lines.slice(1).map((line) => line.split(/ +/)[0])).toEqual(rows.map(({ name }) => name))
  })

  test('of nothing is nothing', async () => {
    expect(await table([], 80)).toBe('')
  })

  test('counts wide characters as two columns and marks as none', async () => {
    const [, first, second] = (await table([row('日本語日本語', '1'), row('e\u0301e\u0301', '2')], 30)).split(
      '\n',
    )
    expect(first).toBe('日本語…  1')
    expect(second).toBe('e\u0301e\u0301       2')
  })

  test('shows what a terminal would act on', async () => {
    const text = await table([row('\u001b[2J', 'a\nb\u0007\u202e\u009b31m')], 80)
    expect(text).toContain('\\x1b[2J')
    expect(text).toContain('a\\nb\\x07\\u{202e}\\x9b31m')
  })

  test('has colors around cells on a terminal alone, and none with NO_COLOR', async () => {
    const rows = [row('a', 'b')]
    const red = '\u001b[31mb\u001b[39m'
    expect(await table(rows, 80, paintFor({ isTTY: true }, {}))).toContain(red)
    expect(await table(rows, 80, paintFor({ isTTY: true }, { NO_COLOR: '' }))).toContain(red)
    expect(await table(rows, 80, paintFor({ isTTY: true }, { NO_COLOR: '1' }))).not.toContain('\u001b')
    expect(await table(rows, 80, paintFor({ isTTY: false }, {}))).not.toContain('\u001b')
  })
})
