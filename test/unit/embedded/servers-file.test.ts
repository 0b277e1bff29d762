import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readServersFile, writeServersFile } from '../../../src/embedded/servers-file.ts'

const USER = { pid: 7, start: '1@boot', id: 'a' }
const SERVER = { pid: 8, start: '2@boot', port: 15432 }
const EMPTY = { postgres: undefined, redis: undefined, users: [] }

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'observatory-unit-'))
  path = join(folder, 'servers.json')
})

afterEach(() => rm(folder, { recursive: true }))

describe('servers.json', () => {
  test('reads back what was written, for its owner only', async () => {
    await writeServersFile(path, { postgres: SERVER, users: [USER] })
    expect(await readServersFile(path)).toEqual({ ...EMPTY, postgres: SERVER, users: [USER] })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['servers.json'])
  })

  test('is empty when it is missing', async () => {
    expect(await readServersFile(path)).toEqual(EMPTY)
  })

  test.each(['', '{', '[]', 'null', '1', '"x"', '{"users":{"length":1e9}}', '\0'])(
    'is empty when it says %j',
    async (text) => {
      await writeFile(path, text)
      expect(await readServersFile(path)).toEqual(EMPTY)
    },
  )

  test.each([
    ['a pid that is a group of processes', { ...SERVER, pid: -1 }],
    ['pid 0, which is our own group', { ...SERVER, pid: 0 }],
    ['a pid that is no integer', { ...SERVER, pid: 1.5 }],
    ['a pid that is text', { ...SERVER, pid: '8' }],
    ['a port that needs root', { ...SERVER, port: 80 }],
    ['a port out of range', { ...SERVER, port: 65_536 }],
    ['no start', { pid: 8, port: 15432 }],
    ['an endless start', { ...SERVER, start: 'x'.repeat(201) }],
  ])('ignores a server with %s', async (_, server) => {
    await writeFile(path, JSON.stringify({ postgres: server, redis: SERVER, users: [USER] }))
    expect(await readServersFile(path)).toEqual({ postgres: undefined, redis: SERVER, users: [USER] })
  })

  test('keeps the good users among broken ones', async () => {
    const users = [null, 1, [], { ...USER, pid: '7' }, { ...USER, id: 5 }, USER]
    await writeFile(path, JSON.stringify({ users }))
    expect((await readServersFile(path)).users).toEqual([USER])
  })

  test('is not read when it is far larger than it can be', async () => {
    await writeFile(path, JSON.stringify({ users: [USER], padding: ' '.repeat(300_000) }))
    expect(await readServersFile(path)).toEqual(EMPTY)
  })
})
