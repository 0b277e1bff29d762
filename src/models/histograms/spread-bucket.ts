/** A bucket and how its measurements are taken to lie in it. One with `lower === upper` has all of them at that value. */
export interface SpreadBucket {
  readonly lower: number
  readonly upper: number
  readonly count: number
  /** Evenly over the logarithms, not over the values. Neither bound is 0 then, and both have one sign. */
  readonly isGeometric: boolean
}

/** The value below which `share` of the bucket's measurements lie. */
export function valueAt({ lower, upper, isGeometric }: SpreadBucket, share: number): number {
  if (!isGeometric) return clamp(lower * (1 - share) + upper * share, lower, upper)
  const exponent = Math.log2(Math.abs(lower)) * (1 - share) + Math.log2(Math.abs(upper)) * share
  return clamp(Math.sign(lower) * 2 ** exponent, lower, upper)
}

/** Which share of the bucket's measurements is at most `value`: the inverse of `valueAt`. */
export function shareUpTo({ lower, upper, isGeometric }: SpreadBucket, value: number): number {
  if (value >= upper) return 1
  if (value <= lower) return 0
  if (!isGeometric) return (value - lower) / (upper - lower)
  const exponent = Math.log2(Math.abs(lower))
  return (Math.log2(Math.abs(value)) - exponent) / (Math.log2(Math.abs(upper)) - exponent)
}

/** Rounding may lead out of the bucket by the last digit. */
function clamp(value: number, lower: number, upper: number): number {
  return Math.min(upper, Math.max(lower, value))
}
