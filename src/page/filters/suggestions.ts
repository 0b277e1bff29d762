import { element } from '../dom/element.ts'
import { parseJson } from '../parse-json.ts'

/** So many of the names that there are can be chosen from. */
const MOST = 500
const FRESH_MS = 30_000

/** A list that an input proposes, read from the API when it is about to be needed. */
export class Suggestions {
  readonly element: HTMLDataListElement
  readonly #path: string
  readonly #member: string
  #readAt = Number.NEGATIVE_INFINITY

  constructor(id: string, [path, member]: readonly [path: string, member: string]) {
    this.element = element('datalist', { id })
    this.#path = path
    this.#member = member
  }

  /** Reads it anew where it is old. What cannot be read is not proposed: the input works without. */
  async refresh(): Promise<void> {
    if (performance.now() - this.#readAt < FRESH_MS) return
    this.#readAt = performance.now()
    try {
      const answer = await fetch(`${this.#path}?limit=${MOST}`)
      if (!answer.ok) return
      const { data } = parseJson(await answer.text()) as {
        readonly data: readonly Readonly<Record<string, unknown>>[]
      }
      const names = new Set(data.map((each) => each[this.#member]).filter((name) => typeof name === 'string'))
      this.element.replaceChildren(...[...names].sort().map((value) => element('option', { value })))
    } catch {
      this.#readAt = Number.NEGATIVE_INFINITY
    }
  }
}
