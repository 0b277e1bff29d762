import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectionConfig, describePostgres } from '../../src/postgres-connection.ts'
import { PreferTlsClient, readPostgresTls } from '../../src/postgres-tls.ts'
import { assertSuitableVersion } from '../../src/wait-for-postgres.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pool-'))
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(folder, name), `the ${name}`)
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('TLS parameters of a URL mean what they mean to libpq', () => {
  const tls = (query: string, host = 'db.example') => readPostgresTls(`postgresql://u:p@${host}/o${query}`)
  const skipped = { rejectUnauthorized: false }

  test('disable is plain text, prefer is TLS if there is any, require is TLS with whoever answers', () => {
    expect(tls('?sslmode=disable')).toEqual({ ssl: false, optional: false })
    expect(tls('?sslmode=prefer')).toEqual({ ssl: skipped, optional: true })
    expect(tls('?sslmode=require')).toEqual({ ssl: skipped, optional: false })
  })

  test('verify-ca checks who signed, verify-full also the name', () => {
    const ca = `&sslrootcert=${folder}/ca`
    expect(tls(`?sslmode=verify-full${ca}`)).toEqual({ ssl: { ca: 'the ca' }, optional: false })
    const { ssl } = tls(`?sslmode=verify-ca${ca}`)
    expect(ssl).toEqual({ ca: 'the ca', checkServerIdentity: expect.any(Function) })
    expect(tls(`?sslmode=require${ca}`).ssl, 'require with a root certificate is verify-ca').toEqual({
      ca: 'the ca',
      checkServerIdentity: expect.any(Function),
    })
  })

  test('verify-full without a root certificate trusts the authorities Node.js trusts', () => {
    expect(tls('?sslmode=verify-full')).toEqual({ ssl: {}, optional: false })
    expect(tls('?sslrootcert=system')).toEqual({ ssl: {}, optional: false })
  })

  test('a client certificate and its key are read from their files', () => {
    const { ssl } = tls(`?sslmode=require&sslcert=${folder}/cert&sslkey=${folder}/key`)
    expect(ssl).toEqual({ ...skipped, cert: 'the cert', key: 'the key' })
  })

  test('without sslmode the local machine is spoken to in plain text, any other as with prefer', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) {
      expect(tls('', host), host).toEqual({ ssl: false, optional: false })
    }
    expect(tls('?host=/run/postgresql')).toEqual({ ssl: false, optional: false })
    for (const host of ['db.example', '10.0.0.1', 'localhost.example']) {
      expect(tls('', host), host).toEqual({ ssl: skipped, optional: true })
    }
  })

  test('a unix socket has no TLS whatever is asked for', () => {
    expect(tls('?host=/run/postgresql&sslmode=require').ssl).toBe(false)
  })

  test.each([
    [
      '?sslmode=on',
      'sslmode=on is not known; expected one of disable, prefer, require, verify-ca, verify-full',
    ],
    ['?sslmode=no-verify', 'sslmode=no-verify is not known'],
    ['?sslmode=verify-ca', 'needs sslrootcert'],
    ['?sslmode=require&sslrootcert=system', 'sslrootcert=system needs sslmode=verify-full'],
    ['?sslmode=verify-full&sslrootcert=/nowhere', 'sslrootcert=/nowhere cannot be read'],
  ])('%s is refused: %s', (query, message) => {
    const problem = { code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(message) }
    expect(() => tls(query)).toThrow(expect.objectContaining(problem))
  })
})

describe('what a URL says about the connection', () => {
  const config = (databaseUrl: string) =>
    connectionConfig({ databaseUrl, applicationName: 'observatory test' })

  test('it cannot change the name of the session, its timeouts or how the client behaves', () => {
    const { Client, ...options } = config(
      'postgresql://u:p%40ss@db.example:6000/o?sslmode=prefer&application_name=x&statement_timeout=1&keepAlive=false&query_timeout=1&pipeline=true&options=-c%20search_path%3Dt',
    )
    expect(Client).toBe(PreferTlsClient)
    expect(options).toEqual({
      host: 'db.example',
      port: 6000,
      user: 'u',
      password: 'p@ss',
      database: 'o',
      ssl: { rejectUnauthorized: false },
      options: '-c search_path=t',
      enableChannelBinding: false,
      application_name: 'observatory test',
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
  })

  test('channel_binding=require is passed on where there is TLS', () => {
    expect(config('postgresql://u:p@db.example/o?channel_binding=require').enableChannelBinding).toBe(true)
    expect(config('postgresql://u:p@localhost/o?channel_binding=require').enableChannelBinding).toBe(false)
  })

  test.each([
    ['postgresql://u:hunter2@db.example:6000/o?sslmode=disable', 'PostgreSQL at db.example:6000/o'],
    ['postgres://u:hunter2@/o?host=/run/postgresql', 'PostgreSQL at /run/postgresql:5432/o'],
    ['postgresql://db.example/o?user=u&password=hunter2', 'PostgreSQL at db.example:5432/o'],
  ])('%s leads to %s', (url, described) => expect(describePostgres(url)).toBe(described))
})

describe('versions', () => {
  test.each([150_000, 150_013, 180_004, 190_000])('PostgreSQL %d is new enough', (versionNumber) => {
    expect(() => assertSuitableVersion('PostgreSQL at h', { version: 'x', versionNumber })).not.toThrow()
  })

  test('PostgreSQL 14.9 is too old, and the message names both versions', () => {
    const check = () => assertSuitableVersion('PostgreSQL at h', { version: '14.9', versionNumber: 140_009 })
    const message = expect.stringContaining(
      'PostgreSQL at h is version 14.9; PostgreSQL 15 or newer is needed',
    )
    expect(check).toThrow(expect.objectContaining({ code: 'ERR_SERVER_UNSUITABLE', message }))
  })
})
