/** A pattern of names, in which `*` stands for any characters, also none. */
export class NamePattern {
  readonly #first: string
  readonly #middle: readonly string[]
  /** Undefined without a `*`: then the whole name must be the first part. */
  readonly #last: string | undefined

  constructor(pattern: string) {
    const [first = '', ...others] = pattern.split('*')
    this.#first = first
    this.#last = others.pop()
    this.#middle = others
  }

  /** Whether a whole name is what the pattern says. In time linear in the name for each part of the pattern, whatever the name: names come from outside. */
  matches(name: string): boolean {
    const first = this.#first
    const last = this.#last
    if (last === undefined) return name === first
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
      return false
    const end = name.length - last.length
    let at = first.length
    // The first place of each part leaves the most room for those behind it.
    for (const part of this.#middle) {
      const found = name.indexOf(part, at)
      if (found < 0 || found + part.length > end) return false
      at = found + part.length
    }
    return true
  }
}
