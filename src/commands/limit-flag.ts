import { InvalidArgumentError } from 'commander'

/** How many at most, of the command line. @throws commander's InvalidArgumentError when it is no number above 0. */
export function parseLimitFlag(text: string): number {
  const limit = Number(text)
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new InvalidArgumentError('Expected a whole number above 0.')
  return limit
}
