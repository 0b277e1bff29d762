import { isPresent, parseInteger } from './decode-fields.ts'

/**
 * Severity words in lower case and what they are in OpenTelemetry (logs data model, appendix B). The
 * words are OpenTelemetry's own, those of syslog (RFC 5424), pino, Python and .NET.
 */
const SEVERITY_WORDS: ReadonlyMap<string, number> = new Map([
  ...['trace', 'debug', 'info', 'warn', 'error', 'fatal'].flatMap((name, band) => shortNames(name, band)),
  ['verbose', 5],
  ['information', 9],
  ['informational', 9],
  ['notice', 10],
  ['warning', 13],
  ['err', 17],
  ['crit', 18],
  ['critical', 18],
  ['alert', 19],
  ['emerg', 21],
  ['emergency', 21],
  ['panic', 21],
] as const)

/** Syslog's severities 0 (emergency) to 7 (debug). */
const SYSLOG = [21, 19, 18, 17, 13, 10, 9, 5]

/** Pino's levels: trace 10, debug 20, info 30, warn 40, error 50, fatal 60, and custom ones between. */
const MIN_PINO = 10
const MAX_PINO = 60

/** Four severities of one band: INFO, INFO2, INFO3, INFO4. */
function shortNames(name: string, band: number): readonly (readonly [string, number])[] {
  const first = band * 4 + 1
  return [
    [name, first],
    [`${name}2`, first + 1],
    [`${name}3`, first + 2],
    [`${name}4`, first + 3],
  ]
}

/**
 * OpenTelemetry's severity number (1–24) of a level: a word, a syslog number (0–7) or a pino number
 * (10–60; one between two of pino's own belongs to the lower). 0 for what is none of these.
 */
export function severityNumberOf(level: unknown): number {
  if (!isPresent(level)) return 0
  const word = typeof level === 'string' ? SEVERITY_WORDS.get(level.toLowerCase()) : undefined
  return word ?? severityOfNumber(parseInteger(level))
}

function severityOfNumber(level: bigint | undefined): number {
  if (level === undefined || level < 0n || level > BigInt(MAX_PINO)) return 0
  const number = Number(level)
  if (number < MIN_PINO) return SYSLOG[number] ?? 0
  return (Math.floor(number / 10) - 1) * 4 + 1
}
