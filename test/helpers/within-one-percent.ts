/** For toEqual: quantiles are told no more precisely than within 1 % of the value. */
export function withinOnePercent(value: number) {
  return { asymmetricMatch: (told: unknown) => Math.abs(Number(told) - value) <= value / 100 }
}
