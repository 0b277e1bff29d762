/** Integer division that rounds down, also below zero, where BigInt's own rounds towards it: -1n / 1000n is 0n, this is -1n. */
export function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  return dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient
}
