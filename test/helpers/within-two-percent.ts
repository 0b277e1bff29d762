/** For toEqual: quantiles are told no more precisely than within 2 % of the value. */
export function withinTwoPercent(value: number) {
  return { asymmetricMatch: (told: unknown) => Math.abs(Number(told) - value) <= value / 50 }
}
