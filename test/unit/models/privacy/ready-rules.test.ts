import { describe, expect, test } from 'vitest'
import { READY_RULES, type ReadyRuleName } from '../../../../src/models/privacy/ready-rules.ts'

const JWT = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${'aB3_-'.repeat(8)}`
const PEM = '-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----'

function hide(rule: ReadyRuleName, text: string): string {
  return READY_RULES[rule].hide?.(text, '[x]') ?? text
}

describe('what the ready rules hide', () => {
  test.each<[ReadyRuleName, string, string]>([
    ['email', 'write to ada.l+news@mail.example.co.uk, please', 'write to [x], please'],
    ['email', '<grüße@bücher.example>', '<[x]>'],
    ['email', '"a@b.io","c@d.io"', '"[x]","[x]"'],
    ['card', 'card 4111 1111 1111 1111.', 'card [x].'],
    ['card', '4111111111111111', '[x]'],
    ['card', '5555-5555-5555-4444 and 3782 822463 10005', '[x] and [x]'],
    ['key', 'export OPENAI_API_KEY=sk-proj-abcDEF1234567890abcdef', 'export OPENAI_API_KEY=[x]'],
    ['key', 'sk-ant-api03-abcdefghij1234567890', '[x]'],
    ['key', 'id AKIAIOSFODNN7EXAMPLE end', 'id [x] end'],
    ['key', `ghp_${'a1B2'.repeat(9)} xoxb-1234567890-abcdef`, '[x] [x]'],
    ['key', `before ${PEM} after`, 'before [x] after'],
    ['key', 'cut off: -----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg', 'cut off: [x]'],
    ['token', `session ${JWT} ok`, 'session [x] ok'],
    ['token', 'Authorization: Bearer abcdef.1234567890', 'Authorization: [x]'],
    ['token', 'postgresql://me:hunter2@db.example/t', 'postgresql://[x]@db.example/t'],
  ])('%s: %s', (rule, text, hidden) => {
    expect(hide(rule, text)).toBe(hidden)
  })

  test.each<[ReadyRuleName, string]>([
    ['email', 'a@b is no address, and neither is @team or x@localhost'],
    ['card', '4111111111111112'],
    ['card', '1785000000000000000 is a time in nanoseconds, 1785000000000000 one in microseconds'],
    ['card', 'a score of 0.4111111111111111'],
    ['card', '1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6'],
    ['key', 'sk-loading-indicator-of-the-page'],
    ['key', 'task-1234567890123456789012345'],
    ['token', 'http://localhost:4318/v1/traces and a bearer of news'],
  ])('%s leaves alone: %s', (rule, text) => {
    expect(hide(rule, text)).toBe(text)
  })
})

/** Made for expressions that go back and forth. */
const HOSTILE = [
  'a',
  'a@',
  'a@b.',
  '4',
  '4111 ',
  'sk-',
  '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN A ',
  'eyJaaaaaaaa.',
  'bearer ',
  '://a:',
  'SG.',
  '\u{1F600}',
]

test.each(HOSTILE)('a megabyte of %j takes no rule longer than a second', (part) => {
  const text = part.repeat((1024 * 1024) / part.length)
  for (const { hide: hideIn } of Object.values(READY_RULES)) {
    const startedMs = performance.now()
    hideIn?.(text, '[x]')
    expect(performance.now() - startedMs).toBeLessThan(1000)
  }
})
