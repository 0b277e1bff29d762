/** First digits and lengths of the cards in use (ISO/IEC 7812; the brands' own ranges). */
const BRANDS =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|(?:6011|65\d\d|64[4-9]\d|35(?:2[89]|[3-8]\d)|62\d\d)\d{12,15})$/

/** Whether digits, with spaces or hyphens between them, are the number of a payment card: of a known brand, and with the right check digit (Luhn's, ISO/IEC 7812-1). */
export function isCardNumber(text: string): boolean {
  const digits = text.replaceAll(/[ -]/g, '')
  return BRANDS.test(digits) && hasLuhnDigit(digits)
}

function hasLuhnDigit(digits: string): boolean {
  let sum = 0
  for (let place = 1; place <= digits.length; place += 1) {
    const digit = digits.charCodeAt(digits.length - place) - 0x30
    const doubled = place % 2 === 0 ? 2 * digit : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
