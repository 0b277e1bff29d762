const END = Buffer.from('\r\n')
const STAR = 0x2a
const DOLLAR = 0x24
/** Of a bulk string: `$0\r\n\r\n`. */
const MIN_BULK_BYTES = 6

/**
 * Reads a RESP array of bulk strings (Redis documentation, "Redis serialization protocol specification"), as dead letters keep the fields of an entry,
 * without copying them.
 *
 * @returns undefined for anything else, also for what goes on after the array.
 */
export function parseResp(payload: Buffer): Buffer[] | undefined {
  const cursor = { offset: 0 }
  const count = readLength(payload, cursor, STAR)
  if (count === undefined || count * MIN_BULK_BYTES > payload.length) return undefined
  const fields: Buffer[] = []
  for (let index = 0; index < count; index += 1) {
    const length = readLength(payload, cursor, DOLLAR)
    if (length === undefined) return undefined
    const end = cursor.offset + length
    if (!payload.subarray(end, end + END.length).equals(END)) return undefined
    fields.push(payload.subarray(cursor.offset, end))
    cursor.offset = end + END.length
  }
  return cursor.offset === payload.length ? fields : undefined
}

/** `*3\r\n` or `$12\r\n`, at the cursor. */
function readLength(payload: Buffer, cursor: { offset: number }, type: number): number | undefined {
  if (payload[cursor.offset] !== type) return undefined
  const end = payload.indexOf(END, cursor.offset)
  const digits = end < 0 ? '' : payload.toString('latin1', cursor.offset + 1, end)
  if (!/^\d{1,10}$/.test(digits)) return undefined
  cursor.offset = end + END.length
  return Number(digits)
}
