import { stringify } from 'lossless-json'
import { parseJson } from '../../models/json.ts'
import { parseResp } from '../../models/parse-resp.ts'
import { terminalBytes, terminalLine, terminalText } from '../terminal-text.ts'

/** The payload of a dead letter for a terminal: JSON indented, the fields of an entry one a line, anything else as it is, made safe. */
export function readablePayload(payloadForm: string, payload: Buffer): string {
  const fields = payloadForm === 'entry' ? parseResp(payload) : undefined
  if (fields !== undefined) return readableFields(fields)
  return readableJson(payload) ?? terminalBytes(payload)
}

function readableJson(payload: Buffer): string | undefined {
  const { value, rejection } = parseJson(payload.toString('utf8'))
  if (rejection !== undefined) return undefined
  try {
    // Integers past 2^53 stay exact.
    const text = stringify(value, undefined, 2)
    return text === undefined ? undefined : terminalText(text)
  } catch {
    // Nested too deep for it.
    return undefined
  }
}

function readableFields(fields: readonly Buffer[]): string {
  const lines: string[] = []
  for (let index = 0; index < fields.length; index += 2) {
    const [name, value] = [fields[index], fields[index + 1]]
    lines.push(`${oneLine(name)}: ${oneLine(value)}`)
  }
  return lines.join('\n')
}

function oneLine(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : terminalLine(terminalBytes(bytes))
}
