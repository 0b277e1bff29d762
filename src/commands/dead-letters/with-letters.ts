import { DeadLetterRepository } from '../../repositories/dead-letter-repository.ts'
import { type OpenPool, withPool } from '../with-pool.ts'

export interface OpenLetters extends OpenPool {
  readonly repository: DeadLetterRepository
}

/** Of the connections one streams which letters there are, one works on them. */
const USE = { name: 'dead-letters', connections: 2, relation: 'dead_letters' }

/** Runs `work` on the dead letters of a database, as {@link withPool} does. */
export async function withLetters(
  flags: object,
  work: (letters: OpenLetters) => Promise<void>,
): Promise<void> {
  await withPool(flags, USE, (open) => work({ ...open, repository: new DeadLetterRepository(open.pool) }))
}
