import type { AttributeValue } from './attributes.ts'

const DECIMAL = /^\+?(\d{0,30})(?:\.(\d{0,60}))?(?:[eE]([+-]?\d{1,2}))?$/

/** Digits on either side of the point. Money needs some twenty; 10^30 or 10^-60 of it is a mistake. */
const MAX_WHOLE_DIGITS = 30
const MAX_FRACTION_DIGITS = 60

/**
 * An amount as plain decimal digits, such as PostgreSQL's numeric reads them: no sign, no exponent.
 * Undefined for what is no number, negative, or out of all proportion.
 */
export function decimalText(value: AttributeValue): string | undefined {
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  if (!isNumber && typeof value !== 'string') return undefined
  const match = DECIMAL.exec(String(value))
  if (match === null) return undefined
  const [, whole = '', fraction = '', exponent = '0'] = match
  if (whole === '' && fraction === '') return undefined
  return shiftPoint(whole, fraction, Number(exponent))
}

function shiftPoint(whole: string, fraction: string, places: number): string | undefined {
  const digits = `${'0'.repeat(Math.max(0, -places))}${whole}${fraction}${'0'.repeat(Math.max(0, places))}`
  const point = Math.max(0, -places) + whole.length + places
  const before = digits.slice(0, point).replace(/^0+(?=\d)/, '') || '0'
  const after = digits.slice(point).replace(/0+$/, '')
  if (before.length > MAX_WHOLE_DIGITS || after.length > MAX_FRACTION_DIGITS) return undefined
  return after === '' ? before : `${before}.${after}`
}
