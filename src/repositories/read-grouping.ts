import { BadParameter } from './bad-parameter.ts'
import { parseDuration } from './filter-duration.ts'

const MIN_STEP = 1_000_000_000n

/** The words of `by=model,service`, each once. @throws BadParameter for one that is none of `known`. */
export function readGroups<T extends string>(by: string | undefined, known: readonly T[]): readonly T[] {
  const words = [...new Set((by ?? '').split(',').map((word) => word.trim()))].filter((word) => word !== '')
  const unknown = words.find((word) => !known.some((each) => each === word))
  if (unknown === undefined) return words as T[]
  throw new BadParameter(
    'by',
    `by must be any of ${known.join(', ')}, with commas between them, not ${unknown}`,
  )
}

/** The nanoseconds of `step=5m`. @throws BadParameter for what is no duration, or less than a second. */
export function readStep(step: string | undefined): bigint | undefined {
  if (step === undefined) return undefined
  const nanos = parseDuration(step)
  if (nanos === undefined || nanos < MIN_STEP)
    throw new BadParameter('step', 'step must be a duration of at least a second: 30s, 5m, 1h')
  return nanos
}
