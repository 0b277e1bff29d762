/** Characters of all texts together, past which everything is forgotten: it is made anew when it is met again. */
const MAX_CHARACTERS = 4_000_000
/** Longer texts are not remembered. */
const MAX_TEXT = 65_536
/** What a text costs beside its characters. */
const TEXT_COST = 256

/** Remembers what was made of texts that come again and again, such as the resource of a process. */
export class TextCache<T> {
  readonly #values = new Map<string, T>()
  #characters = 0

  get(text: string): T | undefined {
    return this.#values.get(text)
  }

  set(text: string, value: T): void {
    if (text.length > MAX_TEXT) return
    if (this.#characters > MAX_CHARACTERS) {
      this.#values.clear()
      this.#characters = 0
    }
    this.#values.set(text, value)
    this.#characters += text.length + TEXT_COST
  }
}
