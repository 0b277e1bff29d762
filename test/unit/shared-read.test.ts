import { describe, expect, test } from 'vitest'
import { sharedRead } from '../../src/shared-read.ts'

/** Readings that end when told to. */
function readings() {
  const begun: { resolve: (value: string) => void; reject: (error: Error) => void }[] = []
  const read = () => new Promise<string>((resolve, reject) => begun.push({ resolve, reject }))
  return { begun, read }
}

describe('a shared read', () => {
  test('is one for all who ask while it runs, and the next one begins after its end', async () => {
    const { begun, read } = readings()
    const ask = sharedRead(read, 10_000)
    const answers = Promise.all([ask(), ask()])
    expect(begun).toHaveLength(1)
    begun[0]?.resolve('first')
    expect(await answers).toEqual(['first', 'first'])
    const next = ask()
    begun[1]?.resolve('second')
    expect(await next).toBe('second')
  })

  test('is waited for no longer than its time, and still the shared one then', async () => {
    const { begun, read } = readings()
    const ask = sharedRead(read, 20)
    expect(await ask()).toBeUndefined()
    const joined = ask()
    begun[0]?.resolve('late')
    expect(await joined).toBe('late')
    expect(begun).toHaveLength(1)
  })

  test('that fails, fails for all who wait and for nobody after', async () => {
    const { begun, read } = readings()
    const ask = sharedRead(read, 10_000)
    const failed = [ask(), ask()].map((answer) => expect(answer).rejects.toThrow('no'))
    begun[0]?.reject(new Error('no'))
    await Promise.all(failed)
    const next = ask()
    begun[1]?.resolve('yes')
    expect(await next).toBe('yes')
  })
})
