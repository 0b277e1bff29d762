import { stringify as stringifyLossless } from 'lossless-json'

/** JSON with sorted keys, and whole numbers by their digits: what says the same is the same. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`,
    )
    return `{${members.sort().join()}}`
  }
  return String(stringifyLossless(value)).replace(/^(-?\d)(?:\.(\d+))?e\+(\d+)$/, withoutExponent)
}

function withoutExponent(_: string, first: string, fraction = '', exponent: string): string {
  return first + fraction.padEnd(Number(exponent), '0')
}
