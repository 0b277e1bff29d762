import { DELIMITED, VARINT } from './wire-reader.ts'

/** A field of length-delimited content, in as many pieces as there are. */
export function delimitedField(number: number, content: readonly Buffer[]): Buffer {
  const length = content.reduce((sum, piece) => sum + piece.length, 0)
  return Buffer.concat([varint((number << 3) | DELIMITED), varint(length), ...content])
}

/** @param value at least 0, and safe. */
export function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varint((number << 3) | VARINT), varint(value)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}
