import { expect, test } from 'vitest'
import { AccessTokens } from '../../../src/http/access/access-tokens.ts'
import { hostNameOf, isLoopback } from '../../../src/http/access/host-names.ts'

const READ = 'r'.repeat(16)
const ADMIN = 'a/b+c=d~e.f-g_h1'
const tokens = new AccessTokens([`read:${READ}`, `admin:${ADMIN}`])
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

test.each([
  [`Bearer ${READ}`, 'read'],
  [`bearer  ${READ} `, 'read'],
  [`Bearer ${ADMIN}`, 'admin'],
  [basic(`anybody:${ADMIN}`), 'admin'],
  [basic(`:${READ}`), 'read'],
  [`Bearer ${READ}x`, undefined],
  [`Bearer ${READ.slice(1)}`, undefined],
  [`Bearer read:${READ}`, undefined],
  [`Token ${READ}`, undefined],
  [READ, undefined],
  ['Bearer', undefined],
  ['', undefined],
  [undefined, undefined],
  [basic(READ), undefined],
  [`Bearer ${READ} ${READ}`, undefined],
  [`Bearer ${'x'.repeat(100_000)}`, undefined],
])('%s is %s', (authorization, role) => {
  expect(tokens.callerOf(authorization)?.role).toBe(role)
})

test('callers of different tokens are told apart, without their tokens', () => {
  const ids = [READ, ADMIN].map((token) => tokens.callerOf(`Bearer ${token}`)?.id)
  expect(new Set(ids).size).toBe(2)
  expect(JSON.stringify([ids, tokens])).not.toMatch(new RegExp(`${READ}|b\\+c`))
})

test.each(['127.0.0.1', '127.8.9.10', '::1', '[::1]', 'localhost', 'a.localhost', 'LOCALHOST'])(
  '%s is this machine alone',
  (host) => expect(isLoopback(host)).toBe(true),
)
test.each(['0.0.0.0', '::', '10.0.0.1', 'localhost.example', '127.0.0.1.example', 'example'])(
  '%s is not',
  (host) => expect(isLoopback(host)).toBe(false),
)

test.each([
  ['localhost:4318', 'localhost'],
  ['LocalHost', 'localhost'],
  ['[::1]:4318', '[::1]'],
  ['127.0.0.1:', '127.0.0.1'],
  ['a b', undefined],
  ['localhost:4318@evil', undefined],
  ['', undefined],
  [undefined, undefined],
])('the name in Host: %s is %s', (header, name) => expect(hostNameOf(header)).toBe(name))
