/** How numeric_send writes a sign. */
const SIGNS: Readonly<Record<number, string>> = { 0: '', 16384: '-' }
const NEGATIVE = 0x4000
/** What is no number, and the places that the server says of it. */
const SPECIAL: Readonly<Record<number, string>> = { 49152: 'NaN', 53248: 'Infinity', 61440: '-Infinity' }
const INFINITY_PLACES = 32
/** Decimal digits of one digit of numeric. */
const DIGITS = 4

/** The text that PostgreSQL shows of a numeric, digit for digit, of its binary form: digits, weight of the first, sign, places shown, then digits of base 10,000. */
export function numericText(field: Buffer): string {
  const count = field.readUInt16BE(0)
  const weight = field.readInt16BE(2)
  const sign = field.readUInt16BE(4)
  const places = field.readUInt16BE(6)
  const special = SPECIAL[sign]
  if (special !== undefined) return special
  const digit = (position: number): string => {
    const index = weight - position
    const value = index >= 0 && index < count ? field.readUInt16BE(8 + 2 * index) : 0
    return String(value).padStart(DIGITS, '0')
  }
  let whole = ''
  for (let position = Math.max(weight, 0); position >= 0; position -= 1) whole += digit(position)
  let fraction = ''
  for (let position = -1; fraction.length < places; position -= 1) fraction += digit(position)
  const point = places > 0 ? `.${fraction.slice(0, places)}` : ''
  return `${SIGNS[sign] ?? ''}${whole.replace(/^0+(?=\d)/, '')}${point}`
}

/** The binary form of such a text. */
export function numericField(text: string): Buffer {
  const special = Object.entries(SPECIAL).find(([, name]) => name === text)
  if (special !== undefined) return header(0, 0, Number(special[0]), text === 'NaN' ? 0 : INFINITY_PLACES)
  const isNegative = text.startsWith('-')
  const [whole = '', fraction = ''] = text.slice(isNegative ? 1 : 0).split('.')
  const padded = whole.padStart(Math.ceil(whole.length / DIGITS) * DIGITS, '0')
  const all = padded + fraction.padEnd(Math.ceil(fraction.length / DIGITS) * DIGITS, '0')
  const digits = all.match(/\d{4}/g)?.map(Number) ?? []
  let weight = padded.length / DIGITS - 1
  while (digits[0] === 0) {
    digits.shift()
    weight -= 1
  }
  while (digits.at(-1) === 0) digits.pop()
  const isZero = digits.length === 0
  const sign = isNegative && !isZero ? NEGATIVE : 0
  const places = Buffer.alloc(2 * digits.length)
  digits.forEach((value, index) => {
    places.writeUInt16BE(value, 2 * index)
  })
  return Buffer.concat([header(digits.length, isZero ? 0 : weight, sign, fraction.length), places])
}

function header(count: number, weight: number, sign: number, places: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16BE(count, 0)
  bytes.writeInt16BE(weight, 2)
  bytes.writeUInt16BE(sign, 4)
  bytes.writeUInt16BE(places, 6)
  return bytes
}
