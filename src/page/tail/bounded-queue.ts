/** A record that waits to be shown, as JSON text, or something to be said at its place. */
export type TailItem = { readonly text: string } | { readonly note: string }

/** What came and is not on the page yet: the newest of it, within bounds. */
export class BoundedQueue {
  readonly #maxItems: number
  readonly #maxCharacters: number
  #items: TailItem[] = []
  #characters = 0
  #left = 0

  constructor(maxItems: number, maxCharacters: number) {
    this.#maxItems = maxItems
    this.#maxCharacters = maxCharacters
  }

  /** Adds one; the oldest go where there is no room. */
  push(item: TailItem): void {
    this.#items.push(item)
    this.#characters += sizeOf(item)
    // In one go now and then: to move thousands for each one that comes would be slow.
    if (this.#items.length > 2 * this.#maxItems || this.#characters > 2 * this.#maxCharacters) this.#trim()
  }

  /** Takes all, and how many of those before them were let go. */
  takeAll(): { readonly items: readonly TailItem[]; readonly left: number } {
    this.#trim()
    const taken = { items: this.#items, left: this.#left }
    this.clear()
    return taken
  }

  clear(): void {
    this.#items = []
    this.#characters = 0
    this.#left = 0
  }

  #trim(): void {
    let gone = 0
    while (this.#items.length - gone > this.#maxItems || this.#characters > this.#maxCharacters) {
      this.#characters -= sizeOf(this.#items[gone])
      gone += 1
    }
    this.#left += this.#items.slice(0, gone).filter((item) => 'text' in item).length
    this.#items = this.#items.slice(gone)
  }
}

function sizeOf(item: TailItem | undefined): number {
  if (item === undefined) return 0
  return 'text' in item ? item.text.length : item.note.length
}
