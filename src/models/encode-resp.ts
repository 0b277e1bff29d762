const END = Buffer.from('\r\n')

/** Fields as a RESP array of bulk strings (see `parseResp`): any bytes survive, and a person can still read it. */
export function encodeResp(fields: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${fields.length}\r\n`)]
  for (const field of fields) parts.push(Buffer.from(`$${field.length}\r\n`), field, END)
  return Buffer.concat(parts)
}
