import { SPAN_KINDS, STATUS_CODES } from './decode-span-status.ts'
import { parseDuration } from './filter-duration.ts'
import { severityNumberOf } from './severity.ts'
import type { SpanKind, StatusCode } from './span.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from './telemetry-signal.ts'

/** Words of a condition that a text must equal; they mean what they do in a query. */
export type RetentionTextWord =
  | 'service'
  | 'environment'
  | 'name'
  | 'model'
  | 'provider'
  | 'operation'
  | 'prompt'
  | 'user'
  | 'session'

/** One condition of a rule. */
export type RetentionCondition =
  | { readonly word: RetentionTextWord; readonly value: string }
  | { readonly word: 'attribute'; readonly key: string; readonly value: string }
  /** Severity numbers of OpenTelemetry, both inclusive. A record that says no level has none of them. */
  | { readonly word: 'level'; readonly from: number; readonly to: number }
  | { readonly word: 'status'; readonly code: StatusCode }
  | { readonly word: 'kind'; readonly code: SpanKind }
  /** Nanoseconds, inclusive. */
  | { readonly word: 'minDuration' | 'maxDuration'; readonly nanos: bigint }

/** How long the records of a signal are kept for which all conditions hold. */
export interface RetentionRule {
  readonly signal: TelemetrySignal
  readonly conditions: readonly RetentionCondition[]
  /** `Infinity` is for ever. */
  readonly days: number
  /** The rule as it is written, with one blank between its words. */
  readonly text: RetentionRuleText
}

export type RetentionRuleText = `${TelemetrySignal} ${string}`

/** Longer ones are meant as for ever. */
export const MAX_RETENTION_DAYS = 36_500
const LEVELS = 'trace, debug, info, warn, error, fatal'
const FORM =
  'logs level<=debug 3, traces service=checkout 90, logs attr.tenant=acme 7, traces status=error forever'

const WORDS = {
  traces: [
    'service',
    'environment',
    'name',
    'status',
    'kind',
    'model',
    'provider',
    'operation',
    'prompt',
    'user',
    'session',
    'minDuration',
    'maxDuration',
  ],
  logs: ['service', 'environment', 'name', 'level'],
  metrics: ['service', 'environment', 'name'],
} as const satisfies Readonly<Record<TelemetrySignal, readonly string[]>>

/** What is wrong with a rule, and what would be right. */
class RuleProblem extends Error {}

/**
 * Rules as people write them, one a line or with commas between: the signal, what must hold (`word=value`, `attr.<name>=value`, `level<=debug`,
 * `level>=error`), and days or `forever`. A value with blanks or commas stands in double quotes. `#` begins a comment.
 *
 * @returns the rules, or every problem there is.
 */
export function parseRetentionRules(
  text: string,
): { readonly rules: readonly RetentionRule[] } | { readonly problems: readonly string[] } {
  const rules: RetentionRule[] = []
  const problems: string[] = []
  for (const [index, words] of splitRules(text).entries()) {
    try {
      rules.push(readRule(words))
    } catch (error) {
      if (!(error instanceof RuleProblem)) throw error
      problems.push(`rule ${index + 1} (${shortened(words.join(' '))}) ${error.message}`)
    }
  }
  return problems.length > 0 ? { problems } : { rules }
}

/** The words of each rule; quotes stay. */
function splitRules(text: string): readonly (readonly string[])[] {
  const rules: string[][] = [[]]
  // A comment, an end of a rule, or a word, of which parts may be quoted. A quote without an end goes to the end of its line.
  for (const [token] of text.matchAll(/#[^\n]*|[\n,;]|(?:"(?:[^"\\\n]|\\.)*"?|[^\s,;"#])+/g)) {
    if (token.startsWith('#')) continue
    if (/^[\n,;]$/.test(token)) rules.push([])
    else rules.at(-1)?.push(token)
  }
  return rules.filter((words) => words.length > 0)
}

function readRule(words: readonly string[]): RetentionRule {
  const [first = '', ...rest] = words
  const signal = TELEMETRY_SIGNALS.find((each) => each === first)
  if (signal === undefined)
    throw new RuleProblem(
      `must begin with ${TELEMETRY_SIGNALS.join(', ')}, not ${shortened(first)}; expected such as ${FORM}`,
    )
  const days = readDays(rest.at(-1))
  const conditions = rest.slice(0, -1).map((word) => readCondition(signal, word))
  if (conditions.length === 0)
    throw new RuleProblem(
      `has no condition; for all ${signal} set RETENTION_${signal.toUpperCase()}_DAYS, or expected such as ${FORM}`,
    )
  return { signal, conditions, days, text: words.join(' ') as RetentionRuleText }
}

function readDays(word = ''): number {
  if (word === 'forever') return Number.POSITIVE_INFINITY
  const days = /^\d{1,6}$/.test(word) ? Number(word) : 0
  if (days >= 1 && days <= MAX_RETENTION_DAYS) return days
  const found = word === '' ? 'nothing' : shortened(word)
  throw new RuleProblem(
    `must end with days, a whole number from 1 to ${MAX_RETENTION_DAYS}, or forever, not with ${found}`,
  )
}

function readCondition(signal: TelemetrySignal, text: string): RetentionCondition {
  const [, word = '', operator = '', written = ''] = /^([^=<>"]+)(<=|>=|=|<|>)(.*)$/s.exec(text) ?? []
  const known: readonly string[] = WORDS[signal]
  const expected = `${signal} have ${known.join(', ')} and attr.<name>`
  if (word === '') throw new RuleProblem(`has ${shortened(text)}, which is no condition; ${expected}`)
  const key = /^attr\.(.+)$/.exec(word)?.[1]
  if (key === undefined && !known.includes(word))
    throw new RuleProblem(`has ${shortened(word)}, which is no word of ${signal}; ${expected}`)
  const value = readValue(written, word)
  if (word === 'level') return readLevel(operator, value)
  if (operator !== '=')
    throw new RuleProblem(
      `has ${shortened(word + operator)}; only level may have <= or >=, expected ${word}=…`,
    )
  if (key !== undefined) return { word: 'attribute', key, value }
  switch (word) {
    case 'status':
      return { word, code: oneOf(word, value, STATUS_CODES) }
    case 'kind':
      return { word, code: oneOf(word, value, SPAN_KINDS) }
    case 'minDuration':
    case 'maxDuration':
      return { word, nanos: readDuration(word, value) }
    default:
      return { word: word as RetentionTextWord, value }
  }
}

function readValue(written: string, word: string): string {
  const isQuoted = written.startsWith('"')
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(written)?.[1]
  const value = quoted === undefined ? written : quoted.replaceAll(/\\(.)/gs, '$1')
  if (isQuoted && quoted === undefined)
    throw new RuleProblem(`has a quote of ${word} that does not end; expected ${word}="…"`)
  if (value === '') throw new RuleProblem(`has no value of ${word}; expected ${word}=…`)
  if (value.includes('\0') || value.length > 1024)
    throw new RuleProblem(
      `has a value of ${word} that is too long or holds NUL; expected at most 1024 characters`,
    )
  return value
}

/** `<=debug` is all of debug (5 to 8) and what is less; a level of a word between, such as notice, is that alone. */
function readLevel(operator: string, value: string): RetentionCondition {
  const number = severityNumberOf(value)
  if (number === 0) throw new RuleProblem(`has the level ${shortened(value)}; expected one of ${LEVELS}`)
  if (operator === '>=') return { word: 'level', from: number, to: 24 }
  if (operator === '<=') return { word: 'level', from: 1, to: number % 4 === 1 ? number + 3 : number }
  throw new RuleProblem(
    `has level${operator}${shortened(value)}; expected level<=${value} or level>=${value}`,
  )
}

function readDuration(word: string, value: string): bigint {
  const nanos = parseDuration(value)
  if (nanos !== undefined) return nanos
  throw new RuleProblem(
    `has ${word}=${shortened(value)}; expected a duration: 250ms, 1.5s, 2m; units ns, us, ms, s, m, h, d`,
  )
}

function oneOf<T>(word: string, value: string, codes: ReadonlyMap<string, T>): T {
  const code = codes.get(value)
  if (code === undefined)
    throw new RuleProblem(`has ${word}=${shortened(value)}; expected one of ${[...codes.keys()].join(', ')}`)
  return code
}

const SHOWN_LENGTH = 60

function shortened(text: string): string {
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text
}
