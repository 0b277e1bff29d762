/** Of a bucket's width. A threshold that is a bound, computed elsewhere, may be off by the last digits of a double. */
const TOLERANCE = 1e-4

/** The index of the first bucket that is not wholly inside the zero bucket: base^(i+1) <= zeroThreshold holds for all before it. */
export function zeroBucketEnd(zeroThreshold: number, scale: number): number {
  return Math.floor(Math.log2(zeroThreshold) * 2 ** scale + TOLERANCE)
}
