/** JSON objects of which an attribute with this value contains one: `42` is meant as a number as well as a text, for who filters does not know which it was sent as. */
export function attributeForms(key: string, value: string): readonly string[] {
  const name = JSON.stringify(key)
  return [`{${name}:${JSON.stringify(value)}}`, ...(isJsonLiteral(value) ? [`{${name}:${value}}`] : [])]
}

/** Whether the value of an attribute is meant as what JSON makes of it, too. */
export function isJsonLiteral(value: string): boolean {
  return /^(?:-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?|true|false|null)$/.test(value)
}
