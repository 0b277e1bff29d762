import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withFileLock } from '../../../src/embedded/file-lock.ts'
import { identifyProcess } from '../../../src/process-identity.ts'

let folder: string
let lock: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'observatory-unit-'))
  lock = join(folder, 'lock')
})

afterEach(() => rm(folder, { recursive: true }))

describe('a file lock', () => {
  test('lets one in at a time, however many want to', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      inside += 1
      most = Math.max(most, inside)
      await sleep(2)
      inside -= 1
    }
    await Promise.all(Array.from({ length: 20 }, () => withFileLock(lock, 10_000, work)))
    expect(most).toBe(1)
  })

  test('is given back when the work fails, and lets its error through', async () => {
    const failure = new Error('failed')
    const failing = withFileLock(lock, 1000, async () => {
      throw failure
    })
    await expect(failing).rejects.toBe(failure)
    expect(await withFileLock(lock, 1000, async () => 'again')).toBe('again')
    expect(await readdir(folder)).toEqual([])
  })

  test('of a process that was killed is taken over, by one only', async () => {
    await symlink(await identityOfKilledProcess(), lock)
    let inside = 0
    const work = async () => {
      inside += 1
      expect(inside).toBe(1)
      await sleep(1)
      inside -= 1
    }
    await Promise.all(Array.from({ length: 10 }, () => withFileLock(lock, 5000, work)))
    expect(await readdir(folder)).toEqual([])
  })

  test('of an owner whose pid somebody else has now is taken over', async () => {
    await symlink(`${process.pid}:0@earlier`, lock)
    expect(await withFileLock(lock, 1000, async () => 'in')).toBe('in')
  })

  test('is taken over even when others died taking it over', async () => {
    const dead = await identityOfKilledProcess()
    for (const path of [lock, `${lock}.dead`, `${lock}.dead.dead`]) await symlink(dead, path)
    expect(await withFileLock(lock, 1000, async () => 'in')).toBe('in')
    expect(await readdir(folder)).toEqual([])
  })

  test('that no process made is removed', async () => {
    await writeFile(lock, 'not a lock')
    expect(await withFileLock(lock, 1000, async () => 'in')).toBe('in')
  })

  test('of a living owner is waited for, but not for ever', async () => {
    const { pid, start } = identifyProcess(process.ppid)!
    await symlink(`${pid}:${start}`, lock)
    await expect(withFileLock(lock, 100, async () => 'in')).rejects.toMatchObject({
      code: 'ERR_SERVER_UNREACHABLE',
      message: expect.stringContaining(String(pid)),
    })
    expect(await readlink(lock)).toBe(`${pid}:${start}`)
  })
})

async function identityOfKilledProcess(): Promise<string> {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const { pid, start } = identifyProcess(child.pid!)!
  child.kill('SIGKILL')
  await once(child, 'exit')
  return `${pid}:${start}`
}
