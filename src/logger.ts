import { type DestinationStream, pino } from 'pino'
import { codeOf, messageOf } from './errors.ts'
import { maskSecrets } from './mask-secrets.ts'
import type { LogLevel } from './settings.ts'

/**
 * What every module logs with. Levels by consequence: `error` is a loss or needs an operator, `warn` is
 * something that recovered with nothing lost, `info` is start and stop, `debug` is one line per batch and what is
 * done now and then (docs/logs.md has them all).
 * Nothing is ever logged per record. An error goes in the field `err`.
 */
export interface Logger {
  trace(message: string): void
  trace(fields: Readonly<Record<string, unknown>>, message: string): void
  debug(message: string): void
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  info(message: string): void
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
  fatal(message: string): void
  fatal(fields: Readonly<Record<string, unknown>>, message: string): void
  child(fields: Readonly<Record<string, unknown>>): Logger
}

export interface LoggerOptions {
  readonly level: LogLevel | 'silent'
  /** One readable line instead of JSON. Default: whether standard error is a terminal. */
  readonly pretty?: boolean
  /** Where complete lines go. Default: standard error, since standard output carries data. */
  readonly write?: (line: string) => void
}

/**
 * Creates the logger. Lines are written synchronously: the last ones before a crash are the ones that
 * matter, and nothing is logged per record that would make this slow. Secrets are masked in the finished
 * line, so that no field, message or nested cause can carry one past it.
 */
export function createLogger(options: LoggerOptions): Logger {
  const pretty = options.pretty ?? process.stderr.isTTY === true
  const write = options.write ?? writeToStandardError()
  const colours = pretty && options.write === undefined && process.stderr.hasColors?.() === true
  const destination: DestinationStream = {
    write: (line) => write(maskSecrets(pretty ? prettyLine(line, colours) : line)),
  }
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    destination,
  )
}

function writeToStandardError(): (line: string) => void {
  const standardError = pino.destination({ dest: 2, sync: true })
  return (line) => standardError.write(line)
}

interface DescribedError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: DescribedError
}

const MAX_CAUSES = 5

/**
 * The parts of an error that are safe to log. Never its other properties: ioredis puts the arguments of a
 * failed command there (AUTH's password, a record), PostgreSQL the offending row, `URL` its whole input.
 */
function describeError(error: unknown, depth = 0): DescribedError {
  const code = codeOf(error)
  const known = error instanceof Error ? error : undefined
  const cause = known?.cause
  return {
    name: known?.name ?? typeof error,
    message: messageOf(error),
    ...(code === undefined ? {} : { code }),
    ...(known?.stack === undefined ? {} : { stack: known.stack }),
    ...(cause === undefined || depth >= MAX_CAUSES ? {} : { cause: describeError(cause, depth + 1) }),
  }
}

const LEVEL_COLOURS: Readonly<Record<string, number>> = { warn: 33, error: 31, fatal: 31, debug: 2, trace: 2 }

/** `12:34:56.789 INFO  message key=value`: one pino JSON line for a person at a terminal. */
function prettyLine(json: string, colours: boolean): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Record<string, unknown>
  const colour = colours ? LEVEL_COLOURS[String(level)] : undefined
  const label = String(level).toUpperCase().padEnd(5)
  const words = [String(time).slice(11, 23), colour ? `\x1b[${colour}m${label}\x1b[0m` : label]
  if (msg !== undefined) words.push(withoutControlCharacters(String(msg)))
  for (const [name, value] of Object.entries(fields)) {
    words.push(withoutControlCharacters(`${name}=${prettyValue(name, value)}`))
  }
  return `${words.join(' ')}\n`
}

function prettyValue(name: string, value: unknown): string {
  if (name === 'err') {
    const messages: string[] = []
    for (let error = value as DescribedError | undefined; error; error = error.cause) {
      messages.push(error.code === undefined ? error.message : `${error.message} (${error.code})`)
    }
    return JSON.stringify(messages.join(': '))
  }
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)
}

/** A terminal would obey escape sequences that a hostile record brought along. */
function withoutControlCharacters(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}
