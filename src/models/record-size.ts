/**
 * The bytes of a value as JSON, roughly: UTF-8 of texts, keys and digits, and the punctuation, but not
 * the backslashes of escapes. Stops as soon as the sum is above `limit`. It does not recurse and visits
 * no object twice, for the value may be nested without bound or hold itself.
 */
export function approximateBytes(value: unknown, limit: number): number {
  const pending: unknown[] = [value]
  const seen = new Set<object>()
  let bytes = 0
  while (pending.length > 0 && bytes <= limit) {
    bytes += 1
    const item = pending.pop()
    if (typeof item === 'string') bytes += Buffer.byteLength(item) + 2
    else if (typeof item !== 'object' || item === null) bytes += String(item).length
    else if (!seen.has(item)) {
      seen.add(item)
      bytes += pushMembers(item, pending)
    }
  }
  return bytes
}

/** Appends what an object holds and returns the bytes of its keys. */
function pushMembers(item: object, pending: unknown[]): number {
  if (Array.isArray(item)) {
    for (const member of item) pending.push(member)
    return 1
  }
  let bytes = 1
  for (const [key, member] of Object.entries(item)) {
    bytes += Buffer.byteLength(key) + 3
    pending.push(member)
  }
  return bytes
}
