/**
 * Whether a name stands twice in an object of JSON text, so that parsing has left out a value: the text then has more members than what it was parsed to.
 *
 * @param text that was parsed to `value`.
 */
export function hasRepeatedNames(text: string, value: unknown): boolean {
  return countColons(text) !== countMembers(value)
}

/** Outside of strings a colon stands before the value of each member. */
function countColons(json: string): number {
  let colons = 0
  let isString = false
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at)
    if (code === BACKSLASH) at += 1
    else if (code === QUOTE) isString = !isString
    else if (code === COLON && !isString) colons += 1
  }
  return colons
}

function countMembers(value: unknown): number {
  let members = 0
  const waiting = [value]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next !== 'object' || next === null) continue
    const items = Object.values(next)
    if (!Array.isArray(next)) members += items.length
    for (const item of items) if (typeof item === 'object' && item !== null) waiting.push(item)
  }
  return members
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c
