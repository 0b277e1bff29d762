import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { parse as parseYaml } from 'yaml'
import { messageOf, ObservatoryError } from './errors.ts'
import { maskSecrets } from './mask-secrets.ts'
import { parseSetting, type SettingValue } from './setting-value.ts'
import { isSecret, SETTINGS, type Settings, settingName } from './settings.ts'

export interface ConfigInput {
  /** Options of the command line as commander gives them (`{ httpPort: '4318' }`); others are ignored. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where `observatory.yaml`, `.yml` or `.toml` is looked for. Default: the working directory. */
  readonly cwd?: string
}

/** Settings, and for each name (`HTTP_PORT`) where its value came from: `flag`, `environment`, `file <path>`, `default`. */
export interface LoadedSettings {
  readonly settings: Settings
  readonly sources: Readonly<Record<string, string>>
}

/** One place that settings come from, with the names as in the environment. */
interface Layer {
  readonly source: string
  readonly values: ReadonlyMap<string, unknown>
}

const KEYS = Object.keys(SETTINGS) as readonly (keyof Settings)[]

/** Every name a file may use: the settings, and `…_FILE` of the secrets. */
const KNOWN_NAMES: readonly string[] = KEYS.flatMap((key) =>
  isSecret(key) ? [settingName(key), `${settingName(key)}_FILE`] : [settingName(key)],
)

/**
 * Reads the settings: flags over environment over file over defaults. Everything is read and checked before
 * anything is said, so that one error lists every problem.
 * @throws ObservatoryError ERR_CONFIG_INVALID, one line per problem: name, where from, what is wrong, what would be right.
 */
export function loadSettings(input: ConfigInput = {}): LoadedSettings {
  const { flags = {}, env = process.env, cwd = process.cwd() } = input
  const problems: string[] = []
  const layers = [flagLayer(flags), environmentLayer(env), ...fileLayers({ flags, env, cwd }, problems)]
  const values: Record<string, SettingValue | undefined> = {}
  const sources: Record<string, string> = {}
  for (const key of KEYS) {
    const { value, source } = resolveSetting(key, layers, problems)
    values[key] = value
    sources[settingName(key)] = source
  }
  const settings = values as unknown as Settings
  if (problems.length === 0) problems.push(...contradictions(settings))
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'A setting is wrong' : `${problems.length} settings are wrong`
    throw new ObservatoryError(
      'ERR_CONFIG_INVALID',
      `${count}:\n${problems.map((line) => `  ${line}`).join('\n')}`,
    )
  }
  return Object.freeze({ settings: Object.freeze(settings), sources: Object.freeze(sources) })
}

function resolveSetting(
  key: keyof Settings,
  layers: readonly Layer[],
  problems: string[],
): { value: SettingValue | undefined; source: string } {
  const setting = SETTINGS[key]
  const name = settingName(key)
  for (const layer of layers) {
    const found = lookUp(key, layer, problems)
    if (found === undefined) continue
    const parsed = parseSetting(setting, found.raw)
    if ('value' in parsed) return { value: parsed.value, source: found.source }
    for (const problem of parsed.problem.split('\n')) problems.push(`${name} (${found.source}): ${problem}`)
    return { value: setting.default, source: found.source }
  }
  return { value: setting.default, source: 'default' }
}

function lookUp(
  key: keyof Settings,
  layer: Layer,
  problems: string[],
): { raw: unknown; source: string } | undefined {
  const name = settingName(key)
  const raw = layer.values.get(name)
  const path = isSecret(key) ? layer.values.get(`${name}_FILE`) : undefined
  if (path === undefined) return raw === undefined ? undefined : { raw, source: layer.source }
  if (raw !== undefined) {
    problems.push(`${name} (${layer.source}): is given together with ${name}_FILE; expected only one of them`)
    return undefined
  }
  try {
    const source = `${layer.source}, ${name}_FILE ${String(path)}`
    return { raw: readSmallFile(String(path)).trim(), source }
  } catch (error) {
    problems.push(
      `${name}_FILE (${layer.source}): cannot be read: ${messageOf(error)}; expected a file that holds ${name}`,
    )
    return undefined
  }
}

function flagLayer(flags: Readonly<Record<string, unknown>>): Layer {
  const values = new Map<string, unknown>()
  for (const [key, value] of Object.entries(flags)) {
    const name = settingName(key as keyof Settings)
    if (value !== undefined && KNOWN_NAMES.includes(name)) values.set(name, value)
  }
  return { source: 'flag', values }
}

/** An empty variable counts as not set: `HTTP_PORT=` and compose's `${HTTP_PORT:-}` mean that. */
function environmentLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const values = new Map(KNOWN_NAMES.flatMap((name) => (env[name] ? [[name, env[name]] as const] : [])))
  return { source: 'environment', values }
}

const FILE_NAMES = ['observatory.yaml', 'observatory.yml', 'observatory.toml']

/** No layer, or the one of the settings file. A file that was asked for must be there. */
function fileLayers(input: Required<ConfigInput>, problems: string[]): readonly Layer[] {
  const { flags, env, cwd } = input
  const asked = typeof flags.config === 'string' ? flags.config : env.OBSERVATORY_CONFIG
  const paths = asked ? [resolve(cwd, asked)] : FILE_NAMES.map((name) => join(cwd, name)).filter(existsSync)
  const [path, second] = paths
  if (path === undefined) return []
  if (second !== undefined) problems.push(`${path}: stands beside ${second}; expected one settings file`)
  const source = `file ${path}`
  try {
    const content = readSmallFile(path)
    const parsed: unknown = path.endsWith('.toml')
      ? parseToml(content)
      : parseYaml(content, { logLevel: 'error' })
    return [{ source, values: fileValues(parsed, source, problems) }]
  } catch (error) {
    // Parsers go on to quote the file, which may hold a password.
    const [reason] = messageOf(error).split('\n')
    problems.push(`${path}: cannot be read: ${reason}; expected a YAML or TOML file of settings`)
    return []
  }
}

function fileValues(parsed: unknown, source: string, problems: string[]): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>()
  if (parsed === null || parsed === undefined) return values
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    problems.push(`${source}: is not a list of names and values; expected lines such as http_port: 4318`)
    return values
  }
  for (const [key, value] of Object.entries(parsed)) {
    const name = key.toUpperCase()
    if (!KNOWN_NAMES.includes(name)) {
      problems.push(`${key} (${source}): is not a setting; did you mean ${nearestName(name)}?`)
    } else if (values.has(name)) {
      problems.push(`${key} (${source}): is given twice; expected it once`)
    } else if (value !== null && value !== undefined) {
      values.set(name, value)
    }
  }
  return values
}

const FILE_MAX_BYTES = 1024 * 1024

function readSmallFile(path: string): string {
  const { size } = statSync(path)
  if (size > FILE_MAX_BYTES) throw new RangeError(`${path} is larger than ${FILE_MAX_BYTES} bytes`)
  return readFileSync(path, 'utf8')
}

/** What each value alone cannot show: settings that do not go together. */
function contradictions(settings: Settings): readonly string[] {
  const problems: string[] = []
  const { inFlightMaxBytes, batchMaxBytes, recordMaxBytes } = settings
  if (inFlightMaxBytes < 2 * batchMaxBytes) {
    problems.push(
      `IN_FLIGHT_MAX_BYTES: ${inFlightMaxBytes} is less than two batches; expected at least ${2 * batchMaxBytes} (2 × BATCH_MAX_BYTES)`,
    )
  }
  if (recordMaxBytes > batchMaxBytes) {
    problems.push(
      `RECORD_MAX_BYTES: ${recordMaxBytes} does not fit into a batch; expected at most ${batchMaxBytes} (BATCH_MAX_BYTES)`,
    )
  }
  const { otlpInFlightMaxBytes, otlpMaxBodyBytes } = settings
  // What a body takes beside its bytes is counted, too.
  const largestBody = Math.ceil(1.25 * otlpMaxBodyBytes)
  if (otlpInFlightMaxBytes < largestBody) {
    problems.push(
      `OTLP_IN_FLIGHT_MAX_BYTES: ${otlpInFlightMaxBytes} is less than one body takes; expected at least ${largestBody} (1.25 × OTLP_MAX_BODY_BYTES)`,
    )
  }
  return problems
}

function shownValue(key: keyof Settings, settings: Settings): string {
  const value = settings[key]
  if (value === undefined || String(value) === '') return '(not set)'
  if (key === 'accessToken' || SETTINGS[key].kind === 'secret') return '***'
  if (key === 'accessTokens') return settings[key].map((token) => token.replace(/:.*/s, ':***')).join(',')
  return maskSecrets(String(value))
}

function nearestName(name: string): string {
  const distances = KNOWN_NAMES.map((known) => ({ known, distance: editDistance(name, known) }))
  return distances.reduce((best, next) => (next.distance < best.distance ? next : best)).known
}

/** Levenshtein's: how many letters must be changed, put in or left out. Names here are short. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= Math.min(from.length, 100); i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

/**
 * The settings for a person to read, one line each: name, value, where the value came from. Passwords are
 * masked.
 */
export function formatSettings(loaded: LoadedSettings): string {
  const rows = KEYS.map((key) => {
    const name = settingName(key)
    return [name, shownValue(key, loaded.settings), loaded.sources[name] ?? '']
  })
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  const [names, values] = [width(0), width(1)]
  return rows
    .map(([name = '', value = '', source]) => `${name.padEnd(names)}  ${value.padEnd(values)}  ${source}\n`)
    .join('')
}
