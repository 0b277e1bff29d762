import { ObservatoryError } from '../../errors.ts'
import { BadParameter } from '../../repositories/bad-parameter.ts'
import { FILTER_WORDS } from '../../repositories/filter-words.ts'

/** A word of a query as it is typed: `minDuration` is `--min-duration`, `attr.key` is `--attr key`. */
export function flagName(word: string): string {
  if (word.startsWith('attr.')) return `--attr ${word.slice('attr.'.length)}`
  return `--${word.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

const WRITTEN = new RegExp(`\\b(${Object.keys(FILTER_WORDS).join('|')})=`, 'g')

/**
 * Runs `read`, whose complaints name words as HTTP has them, so that they name flags.
 *
 * @throws ObservatoryError ERR_USAGE for a {@link BadParameter}.
 */
export function readingFlags<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof BadParameter)) throw error
    throw new ObservatoryError('ERR_USAGE', asTyped(error), { cause: error })
  }
}

/** The message begins with the parameter, and may give an example: `from=-1h`. */
function asTyped({ message, parameter }: BadParameter): string {
  const rest = message.startsWith(parameter) ? message.slice(parameter.length) : `: ${message}`
  return `${flagName(parameter)}${rest.replaceAll(WRITTEN, (_, word: string) => `${flagName(word)} `)}`
}
