import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  commandLineOf,
  identifyProcess,
  isRunning,
  ownIdentity,
  waitUntilGone,
} from '../../src/process-identity.ts'

describe('the identity of a process', () => {
  test('stays the same while the process runs', () => {
    expect(isRunning(ownIdentity())).toBe(true)
    expect(identifyProcess(process.pid)).toEqual(ownIdentity())
  })

  test('is not that of another process with its pid', () => {
    expect(isRunning({ pid: process.pid, start: '0@earlier' })).toBe(false)
  })

  test('ends with the process', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    const identity = identifyProcess(child.pid!)!
    expect(commandLineOf(identity.pid)).toBe('sleep 60')
    expect(await waitUntilGone(identity, 0)).toBe(false)
    child.kill('SIGKILL')
    expect(await waitUntilGone(identity, 5000)).toBe(true)
  })

  test.runIf(process.platform === 'linux')(
    'ends with its death, though its parent has not noticed',
    async () => {
      // The shell starts a process that ends, then becomes a sleep that never waits for its child: a zombie.
      const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      try {
        const [line] = await once(parent.stdout!, 'data')
        const zombie = Number(line)
        await expect
          .poll(() => readFileSync(`/proc/${zombie}/stat`, 'utf8'), { timeout: 10_000 })
          .toContain(') Z ')
        expect(identifyProcess(zombie)).toBeUndefined()
      } finally {
        parent.kill('SIGKILL')
      }
    },
  )
})
