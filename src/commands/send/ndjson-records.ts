import { isPlainObject, typeOf } from '../../models/decode-fields.ts'
import { parseJson } from '../../models/json.ts'
import type { InputChunk, InputRecord } from './input-record.ts'
import { MAX_LINE_BYTES, readLineBlocks } from './line-blocks.ts'

/** Reads one JSON object a line. Empty lines are nothing; any other line is a record or a refusal. */
export async function* readNdjson(
  chunks: AsyncIterable<Buffer>,
  toRecord: (fields: Readonly<Record<string, unknown>>) => Record<string, unknown>,
): AsyncGenerator<InputChunk> {
  let line = 1
  for await (const { bytes, isTooLong, bytesRead } of readLineBlocks(chunks)) {
    const records: InputRecord[] = []
    if (isTooLong)
      records.push({
        line: line++,
        rejection: { reason: 'too_large', detail: `the line has more than ${MAX_LINE_BYTES} bytes` },
      })
    else {
      const lines = bytes.toString('utf8').split('\n')
      if (lines.at(-1) === '') lines.pop()
      for (const text of lines) {
        if (text !== '' && text.trim() !== '') records.push(readLine(text, line, toRecord))
        line++
      }
    }
    yield { records, bytesRead }
  }
}

function readLine(
  text: string,
  line: number,
  toRecord: (fields: Readonly<Record<string, unknown>>) => Record<string, unknown>,
): InputRecord {
  const { value, rejection } = parseJson(text)
  if (rejection !== undefined) return { line, rejection }
  if (isPlainObject(value)) return { line, record: toRecord(value) }
  return {
    line,
    rejection: { reason: 'wrong_type', detail: `a line must hold an object, not ${typeOf(value)}` },
  }
}
