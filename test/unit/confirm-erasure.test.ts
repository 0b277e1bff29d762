import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { confirmErasure } from '../../src/commands/erase/confirm-erasure.ts'

const person = { users: ['42'], sessions: [], traceIds: [] }

function ask(answer: string, isTTY: boolean): { readonly asked: PassThrough; readonly done: Promise<void> } {
  const input = Object.assign(new PassThrough(), { isTTY })
  const asked = new PassThrough()
  input.write(answer)
  return { asked, done: confirmErasure(input, asked, { person, signal: new AbortController().signal }) }
}

test('a person at a terminal is asked, told whose data it is, and taken at their word', async () => {
  const { asked, done } = ask('yes\n', true)
  await done
  expect(String(asked.read())).toContain('Erase all data of user 42 for ever? Type yes: ')
  await expect(ask('y\n', true).done).rejects.toThrow('Nothing was erased')
})

test('where there is no terminal nobody is asked, and it is refused', async () => {
  await expect(ask('yes\n', false).done).rejects.toThrow('--yes')
})
