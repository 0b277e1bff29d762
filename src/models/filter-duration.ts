const NANOS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
}

/** A duration as filters take it: `250ms`, `1.5s`, with the units ns, us, ms, s, m, h and d; a number alone is milliseconds. @returns whole nanoseconds, or undefined. */
export function parseDuration(text: string): bigint | undefined {
  const [, amount, unit = 'ms'] = /^(\d{1,15}(?:\.\d{1,9})?)(ns|us|ms|s|m|h|d)?$/.exec(text.trim()) ?? []
  if (amount === undefined) return undefined
  const nanos = Math.round(Number(amount) * (NANOS[unit] ?? 0))
  return Number.isSafeInteger(nanos) ? BigInt(nanos) : undefined
}
