import { ObservatoryError } from '../../errors.ts'

/** As many as fit a glance, when nothing says how many. */
export const USUAL_LINES = 10
/** @returns the share of records that are shown. @throws ObservatoryError ERR_USAGE for what is no share. */
export function readSample(text: string | undefined): number {
  const share = text === undefined ? 1 : Number(text)
  if (share > 0 && share <= 1) return share
  throw new ObservatoryError('ERR_USAGE', `--sample: ${text} must be above 0 and at most 1, such as 0.1`)
}
