import { isSecret, SETTINGS, type Setting, type Settings, settingName } from './settings.ts'

/** One option for the command line. It has no default of its own: a default there would hide the environment. */
export interface SettingOption {
  /** As commander takes it: `--http-port <number>`. */
  readonly flags: string
  /** What it does, its variable and its default. */
  readonly description: string
}

/** The option of a setting, followed by the one of its `…_FILE` if it is a secret. */
export function settingOptions(key: keyof Settings): readonly SettingOption[] {
  const setting: Setting = SETTINGS[key]
  const name = settingName(key)
  const flag = `--${name.toLowerCase().replaceAll('_', '-')}`
  const fallback = showDefault(setting) === '' ? '' : `, default ${showDefault(setting)}`
  const value = placeholder(setting)
  const option = {
    flags: `${flag} <${value}>`,
    description: `${setting.description} (${name}${fallback})`,
  }
  if (!isSecret(key)) return [option]
  return [
    option,
    {
      flags: `${flag}-file <file>`,
      description: `File that holds ${CONTENTS[setting.kind] ?? 'the URL'}. (${name}_FILE)`,
    },
  ]
}

function placeholder(setting: Setting): string {
  if (setting.kind === 'choice') return setting.choices.join('|')
  return setting.kind === 'words' ? setting.choices.join(',') : PLACEHOLDERS[setting.kind]
}

const PLACEHOLDERS = {
  integer: 'number',
  bytes: 'bytes',
  word: 'name',
  text: 'path',
  postgresUrl: 'url',
  redisUrl: 'url',
  token: 'token',
  tokens: 'tokens',
  retentionRules: 'rules',
  secret: 'secret',
} as const

/** Of a file that a secret is read from. */
const CONTENTS: Readonly<Partial<Record<Setting['kind'], string>>> = {
  token: 'it',
  tokens: 'them',
  secret: 'it',
}

function showDefault({ kind, default: fallback }: Setting): string {
  if (kind !== 'bytes') return String(fallback ?? '')
  const unit = UNITS.find(({ bytes }) => Number(fallback) % bytes === 0)
  return unit === undefined ? String(fallback) : `${Number(fallback) / unit.bytes}${unit.name}`
}

const UNITS = [
  { name: 'MiB', bytes: 1024 * 1024 },
  { name: 'KiB', bytes: 1024 },
] as const

/** All settings as a Markdown table, for the documentation. */
export function settingsTable(): string {
  const rows = (Object.keys(SETTINGS) as (keyof Settings)[]).map((key) => {
    const setting: Setting = SETTINGS[key]
    const allowed =
      setting.kind === 'choice' || setting.kind === 'words'
        ? setting.choices.join(', ')
        : 'min' in setting
          ? `${setting.min} to ${setting.max}`
          : ''
    return `| \`${settingName(key)}\` | ${showDefault(setting)} | ${allowed} | ${setting.description} |`
  })
  return ['| setting | default | allowed | what it does |', '| --- | --- | --- | --- |', ...rows, ''].join(
    '\n',
  )
}
