import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { addSettings } from '../../../src/commands/setting-flags.ts'
import { loadSettings } from '../../../src/config.ts'
import { isSecret, SETTINGS, type Settings, settingName } from '../../../src/settings.ts'

const KEYS = Object.keys(SETTINGS) as (keyof Settings)[]

describe('the settings as options', () => {
  test('every setting is an option, once, under a heading, with its variable in the description', () => {
    const { options } = addSettings(new Command())
    const names = KEYS.flatMap((key) => (isSecret(key) ? [key, `${key}File`] : [key]))
    expect(options.map((option) => option.attributeName()).sort()).toEqual([...names, 'config'].sort())
    for (const key of KEYS) {
      const option = options.find((each) => each.attributeName() === key)
      expect(option?.helpGroupHeading, key).toMatch(/:$/)
      expect(option?.description, key).toContain(settingName(key))
    }
  })

  test('a command can take some of them', () => {
    const { options } = addSettings(new Command(), ['redisUrl', 'logLevel'])
    expect(options.map((option) => option.long)).toEqual([
      '--redis-url',
      '--redis-url-file',
      '--log-level',
      '--config',
    ])
  })

  test('no option is so wide that nothing is left for the descriptions', () => {
    const { options } = addSettings(new Command())
    expect(Math.max(...options.map(({ flags }) => flags.length))).toBeLessThan(36)
    const level = options.find(({ long }) => long === '--log-level')
    expect(level?.flags).toBe('--log-level <word>')
    expect(level?.description).toContain('One of trace, debug, info, warn, error, fatal.')
  })

  test('what is typed reaches the settings, and what is not typed hides nothing', () => {
    const command = addSettings(new Command())
    command.parse(['--http-port', '4319', '--database-url', 'postgresql://flag/db'], { from: 'user' })
    const env = { HTTP_PORT: '1', READ_COUNT: '7' }
    const { settings } = loadSettings({ flags: command.opts(), env, cwd: '/' })
    expect(settings).toMatchObject({ httpPort: 4319, databaseUrl: 'postgresql://flag/db', readCount: 7 })
  })
})
