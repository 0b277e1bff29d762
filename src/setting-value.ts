import { parseRetentionRules } from './models/retention-rule.ts'
import { parseSentinelUrl } from './redis-url.ts'
import {
  ACCESS_ROLES,
  type AccessToken,
  type NumberSetting,
  type Setting,
  type TextSetting,
  type WordsSetting,
} from './settings.ts'

/** A value that was checked, or in words what is wrong with it and what would be right: a line each. */
export type SettingValue = string | number | readonly string[]
export type ParsedSetting = { readonly value: SettingValue } | { readonly problem: string }

/**
 * Checks one raw value, as it came from a flag, a variable or a file, against its setting. Values of URL
 * settings are never repeated in a problem: they hold passwords.
 */
export function parseSetting(setting: Setting, raw: unknown): ParsedSetting {
  switch (setting.kind) {
    case 'integer':
    case 'bytes':
      return parseNumber(setting, raw)
    case 'choice': {
      const value = setting.choices.find((choice) => choice === raw)
      if (value !== undefined) return { value }
      return { problem: `${show(raw)} is not one of its values; expected ${setting.choices.join(', ')}` }
    }
    case 'words':
      return parseWords(setting, raw)
    case 'word':
    case 'text':
      return parseText(setting, raw)
    case 'token':
      return parseToken(raw)
    case 'secret':
      return parseSecret(setting, raw)
    case 'tokens':
      return parseTokens(raw)
    case 'retentionRules':
      return parseRules(raw)
    case 'postgresUrl':
      return parsePostgresUrl(raw)
    case 'redisUrl':
      return parseRedisUrl(raw)
  }
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

function parseNumber(setting: NumberSetting, raw: unknown): ParsedSetting {
  const range = `${setting.min} to ${setting.max}`
  const expected =
    setting.kind === 'bytes' ? `${range} bytes, as 65536, 64KiB or 4MB` : `a whole number from ${range}`
  const value = setting.kind === 'bytes' ? toBytes(raw) : toInteger(raw)
  if (value === undefined) return { problem: `${show(raw)} is not a number; expected ${expected}` }
  if (!Number.isSafeInteger(value)) return { problem: `${show(raw)} is not whole; expected ${expected}` }
  if (value < setting.min) return { problem: `${show(raw)} is too small; expected ${expected}` }
  if (value > setting.max) return { problem: `${show(raw)} is too large; expected ${expected}` }
  return { value }
}

function toInteger(raw: unknown): number | undefined {
  if (typeof raw === 'number') return raw
  return typeof raw === 'string' && /^\s*-?\d+(\.\d+)?\s*$/.test(raw) ? Number(raw) : undefined
}

function toBytes(raw: unknown): number | undefined {
  if (typeof raw === 'number') return raw
  if (typeof raw !== 'string') return undefined
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(raw)
  const unit = BYTE_UNITS[match?.[2]?.toLowerCase() ?? '']
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit
}

function parseText(setting: TextSetting, raw: unknown): ParsedSetting {
  const expected = setting.kind === 'word' ? 'one word without white space' : 'text'
  const limit = `at most ${setting.maxLength} characters`
  // A number is what YAML makes of an unquoted 42.
  const value = typeof raw === 'number' ? String(raw) : raw
  if (typeof value !== 'string') return { problem: `${show(raw)} is not text; expected ${expected}` }
  if (value.trim() === '') return { problem: `is empty; expected ${expected}` }
  if (value.length > setting.maxLength) {
    return { problem: `is ${value.length} characters long; expected ${limit}` }
  }
  const forbidden = setting.kind === 'word' ? /[\s\p{Cc}]/u : /\p{Cc}/u
  if (forbidden.test(value)) return { problem: `${show(value)} holds white space; expected ${expected}` }
  return { value }
}

function parseWords({ choices }: WordsSetting, raw: unknown): ParsedSetting {
  const expected = `expected any of ${choices.join(',')}`
  const list = typeof raw === 'string' ? raw.split(',').map((word) => word.trim()) : raw
  if (!Array.isArray(list)) return { problem: `${show(raw)} is no list; ${expected}` }
  const unknown = list.find((word) => !choices.includes(word))
  if (unknown !== undefined) return { problem: `${show(unknown)} is not one of its values; ${expected}` }
  return { value: choices.filter((choice) => list.includes(choice)) }
}

/** Shorter ones could be found by trying. What RFC 6750 lets stand in a header, less what separates tokens here. */
const TOKEN = /^[\w.~+/=-]{16,512}$/
const TOKEN_RULE = 'a token is 16 to 512 letters, digits and -._~+/= (openssl rand -hex 32 makes one)'
const ROLE_AND_TOKEN = new RegExp(`^(?:${ACCESS_ROLES.join('|')}):(.*)$`, 's')

function parseToken(raw: unknown): ParsedSetting {
  return typeof raw === 'string' && TOKEN.test(raw)
    ? { value: raw }
    : { problem: `is no token; ${TOKEN_RULE}` }
}

/** Of other programs: never repeated in a problem. */
function parseSecret({ maxLength }: TextSetting, raw: unknown): ParsedSetting {
  const value = typeof raw === 'number' ? String(raw) : raw
  return typeof value === 'string' && value.length <= maxLength && /^[\x21-\x7e]+$/.test(value)
    ? { value }
    : { problem: `is no key; expected at most ${maxLength} characters of ASCII without white space` }
}

/** Tokens are never repeated in a problem. */
function parseTokens(raw: unknown): ParsedSetting {
  const expected = `expected ingest:<token>, read:<token> or admin:<token>; ${TOKEN_RULE}`
  const text = Array.isArray(raw) ? raw.join(' ') : raw
  if (typeof text !== 'string') return { problem: `is not text; ${expected}` }
  const written = text
    .replaceAll(/#.*/g, '')
    .split(/[\s,]+/)
    .filter((word) => word !== '')
  const wrong = written.findIndex((word) => !TOKEN.test(ROLE_AND_TOKEN.exec(word)?.[1] ?? ''))
  if (wrong >= 0) return { problem: `number ${wrong + 1} of its tokens is none; ${expected}` }
  if (written.length === 0) return { problem: `holds no token; ${expected}` }
  return { value: written as AccessToken[] }
}

function parseRules(raw: unknown): ParsedSetting {
  const text = Array.isArray(raw) ? raw.join('\n') : raw
  if (typeof text !== 'string')
    return { problem: `${show(raw)} is not text; expected rules such as logs level<=debug 3` }
  const parsed = parseRetentionRules(text)
  if ('problems' in parsed) return { problem: parsed.problems.join('\n') }
  return { value: parsed.rules.map((rule) => rule.text) }
}

function parsePostgresUrl(raw: unknown): ParsedSetting {
  const expected = 'expected postgresql://user:password@host:5432/database'
  if (typeof raw !== 'string') return { problem: `is not text; ${expected}` }
  // Lower case, as pg compares it. An empty host (`postgresql://user@/db?host=/run/postgresql`) is fine
  // for PostgreSQL and not for `URL`.
  if (!/^postgres(ql)?:\/\//.test(raw)) return { problem: `does not start with postgresql://; ${expected}` }
  if (!URL.canParse(raw.replace('@/', '@localhost/'))) return { problem: `is not a URL; ${expected}` }
  return { value: raw }
}

/** Query parameters of a Redis URL that only say where and who. Any other would change how ioredis behaves. */
const REDIS_URL_PARAMETERS = new Set(['db', 'family', 'username', 'password'])

function parseRedisUrl(raw: unknown): ParsedSetting {
  const expected = 'expected redis://user:password@host:6379/0, rediss://… for TLS, or /path/of/redis.sock'
  if (typeof raw !== 'string') return { problem: `is not text; ${expected}` }
  const sentinel = parseSentinelUrl(raw)
  if (typeof sentinel === 'string') return { problem: `${sentinel}; expected ${SENTINEL_EXAMPLE}` }
  if (sentinel !== undefined) return { value: raw }
  const isSocket = raw.startsWith('/') && !raw.startsWith('//')
  // Lower case: ioredis would connect to REDISS:// without TLS.
  if (!isSocket && !/^rediss?:\/\//.test(raw)) {
    return { problem: `does not start with redis:// or rediss://; ${expected}` }
  }
  const url = isSocket ? `redis://socket/?${raw.split('?')[1] ?? ''}` : raw
  if (!URL.canParse(url)) return { problem: `is not a URL; ${expected}` }
  const { pathname, searchParams } = new URL(url)
  const unknown = [...searchParams.keys()].find((name) => !REDIS_URL_PARAMETERS.has(name))
  if (unknown !== undefined) {
    return {
      problem: `has the unknown parameter ${show(unknown)}; expected only ${[...REDIS_URL_PARAMETERS].join(', ')}`,
    }
  }
  if (!/^\/?\d*$/.test(pathname)) return { problem: `has a path that is not a database number; ${expected}` }
  return { value: raw }
}

const SENTINEL_EXAMPLE = 'redis+sentinel://user:password@host:26379,host2:26379/name-of-the-primary/0'
const SHOWN_LENGTH = 60

function show(raw: unknown): string {
  const text = JSON.stringify(raw) ?? String(raw)
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text
}
