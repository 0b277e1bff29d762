import { parseDuration } from '../models/filter-duration.ts'
import { BadParameter } from './bad-parameter.ts'

const MIN_STEP = 1_000_000_000n

/** The words of `by=model,service`, each once. @throws BadParameter for one that is none of `known`. */
export function readGroups<T extends string>(by: string | undefined, known: readonly T[]): readonly T[] {
  const words = wordsOf(by)
  const unknown = words.find((word) => !known.some((each) => each === word))
  if (unknown === undefined) return words as T[]
  throw new BadParameter(
    'by',
    `by must be any of ${known.join(', ')}, with commas between them, not ${unknown}`,
  )
}

const MAX_LABELS = 20

/** The labels of `by=http.route,service`, each once, whatever they are called. @throws BadParameter for too many. */
export function readLabels(by: string | undefined): readonly string[] {
  const labels = wordsOf(by)
  if (labels.length > MAX_LABELS) throw new BadParameter('by', `by may name ${MAX_LABELS} labels`)
  return labels
}

/** Words with commas between them, each once. */
export function wordsOf(text = ''): readonly string[] {
  return [...new Set(text.split(',').map((word) => word.trim()))].filter((word) => word !== '')
}

/** The nanoseconds of `step=5m`. @throws BadParameter for what is no duration, or less than a second. */
export function readStep(step: string | undefined): bigint | undefined {
  if (step === undefined) return undefined
  const nanos = parseDuration(step)
  if (nanos === undefined || nanos < MIN_STEP)
    throw new BadParameter('step', 'step must be a duration of at least a second: 30s, 5m, 1h, 1d')
  return nanos
}
