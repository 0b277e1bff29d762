import { createInterface } from 'node:readline/promises'
import { ObservatoryError } from '../../errors.ts'
import type { ErasedPerson } from '../../retention/erasure/erased-person.ts'

/** Asks on a terminal. @throws ObservatoryError ERR_USAGE where nobody can be asked, or the answer is not yes. */
export async function confirmErasure(
  input: NodeJS.ReadableStream & { readonly isTTY?: boolean },
  output: NodeJS.WritableStream,
  { person, signal }: { readonly person: ErasedPerson; readonly signal: AbortSignal },
): Promise<void> {
  if (input.isTTY !== true)
    throw new ObservatoryError(
      'ERR_USAGE',
      'Nothing brings back what is erased: say --yes, or see by --dry-run what would go',
    )
  const { users, sessions, traceIds } = person
  const ids = [
    ...users.map((id) => `user ${id}`),
    ...sessions.map((id) => `session ${id}`),
    ...traceIds.map((id) => `trace ${id}`),
  ]
  const asking = createInterface({ input, output })
  try {
    const answer = await asking.question(`Erase all data of ${ids.join(', ')} for ever? Type yes: `, {
      signal,
    })
    if (answer.trim().toLowerCase() !== 'yes') throw new ObservatoryError('ERR_USAGE', 'Nothing was erased')
  } finally {
    asking.close()
  }
}
