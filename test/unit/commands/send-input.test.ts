import { describe, expect, test } from 'vitest'
import { readCsv } from '../../../src/commands/send/csv-records.ts'
import { onlyText } from '../../../src/commands/send/only-text.ts'
import { type SendSummary, summaryLines } from '../../../src/commands/send/send-summary.ts'

async function* chunksOf(...chunks: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

async function read(chunks: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}

describe('an input that is no UTF-8 text', () => {
  test.each([
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), /gzip.*gunzip -c/],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), /zstd -dc/],
    ['an Excel workbook', Buffer.from('PK\u0003\u0004rest'), /Excel workbook.*export it as CSV/],
    ['UTF-16', Buffer.from('\uFEFFname', 'utf16le'), /UTF-16.*iconv/],
  ])('%s is told with what to do', async (_, bytes, advice) => {
    await expect(read(onlyText(chunksOf(bytes)))).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringMatching(advice),
    })
  })

  test('text passes as it is, whatever later parts of it begin with', async () => {
    const chunks = ['\uFEFFname\n', 'PK\u0003\u0004', '']
    expect(String(await read(onlyText(chunksOf(...chunks))))).toBe(chunks.join())
  })
})

test.each([
  ['name;startTime', ';'],
  ['name\tstartTime', '\\t'],
  ['name|startTime', '|'],
])('a CSV whose header is %j has other separators than commas', async (header, told) => {
  const records = readCsv(chunksOf(`${header}\nx,y\n`), () => () => ({}))
  await expect(read(records)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: `the header of the CSV has no comma but "${told}"; expected columns separated by commas`,
  })
})

test('a CSV of one column, and one with a semicolon in a name beside others, are read', async () => {
  for (const header of ['name', 'name,a;b']) {
    await expect(read(readCsv(chunksOf(`${header}\n`), () => () => ({})))).resolves.toHaveLength(1)
  }
})

test('JSON over several lines is told how to become NDJSON, one broken line among good ones is not', () => {
  const summary: SendSummary = {
    telemetrySignal: 'logs',
    sent: 0,
    entries: 0,
    repeated: 0,
    refused: 1,
    refusedByReason: { not_json: 1 },
    firstRefused: [],
    failed: 0,
    interrupted: false,
    error: undefined,
    seconds: 1,
  }
  expect(summaryLines(summary).join('\n')).toContain('jq -c .')
  expect(summaryLines({ ...summary, sent: 1 }).join('\n')).not.toContain('jq')
})
