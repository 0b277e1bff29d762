import { button, element } from '../dom/element.ts'
import { TAIL_SIGNALS, type TailSignal, type View, wordOf } from '../view.ts'
import { isAttributeWord, readAttributeWords, writeAttributeWords } from './attribute-words.ts'
import { FIELDS, type Field, WORDS } from './fields.ts'
import { Suggestions } from './suggestions.ts'

type Words = View['words']
type Input = HTMLInputElement | HTMLSelectElement

/** Whoever types is given so long to type on. */
const TYPING_MS = 400
const TITLES: Readonly<Record<TailSignal, string>> = { logs: 'Logs', spans: 'Spans', metrics: 'Metrics' }

/** What is watched: the kind of records, and the filter. */
export class FilterBar {
  readonly element = element('search', { class: 'filters' })
  readonly #tabs = element('div', { class: 'tabs', role: 'group', 'aria-label': 'What to watch' })
  readonly #form = element('form', { class: 'fields', autocomplete: 'off' })
  readonly #onChange: (view: Pick<View, 'signal' | 'words'>) => void
  readonly #reset = button('Reset', () => this.#emit([]), { class: 'quiet', title: 'Watch everything' })
  #inputs = new Map<string, Input>()
  #view: Pick<View, 'signal' | 'words'> = { signal: 'logs', words: [] }
  #typing: ReturnType<typeof setTimeout> | undefined

  constructor(onChange: (view: Pick<View, 'signal' | 'words'>) => void) {
    this.#onChange = onChange
    this.element.append(this.#tabs, this.#form)
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#changed()
    })
    this.#form.addEventListener('change', () => this.#changed())
    this.#form.addEventListener('input', () => {
      clearTimeout(this.#typing)
      this.#typing = setTimeout(() => this.#changed(), TYPING_MS)
    })
  }

  /** Shows a filter that came from elsewhere. */
  show(view: Pick<View, 'signal' | 'words'>): void {
    this.#view = view
    this.#reset.hidden = view.words.length === 0
    this.#tabs.replaceChildren(...TAIL_SIGNALS.map((signal) => this.#tab(signal)))
    this.#inputs = new Map()
    const fields = FIELDS[view.signal]
    const further = fields.filter(({ isFurther }) => isFurther)
    const used = further.filter(({ word }) => this.#valueOf(word) !== '').length
    this.#form.replaceChildren(
      ...fields.filter(({ isFurther }) => !isFurther).map((field) => this.#field(field)),
      element(
        'details',
        { class: 'further', open: used > 0 },
        element('summary', {}, used > 0 ? `More (${used})` : 'More'),
        element('div', { class: 'fields' }, ...further.map((field) => this.#field(field))),
      ),
      ...this.#chips(),
      this.#reset,
    )
  }

  /** To where a person would type what to look for. */
  focusSearch(): void {
    const input = this.#inputs.get('q') ?? this.#inputs.get('name')
    input?.focus()
    if (input instanceof HTMLInputElement) input.select()
  }

  /** Another kind of records: what both have a word for stays in the filter. */
  choose(signal: TailSignal): void {
    const words = this.#read().filter(([word]) => isAttributeWord(word) || WORDS[signal].has(word))
    this.#view = { signal, words }
    this.#emit(words)
  }

  #tab(signal: TailSignal): HTMLElement {
    const isCurrent = signal === this.#view.signal
    return button(TITLES[signal], () => this.choose(signal), {
      class: 'tab',
      'aria-pressed': String(isCurrent),
    })
  }

  #field(field: Field): HTMLElement {
    const { word, label, placeholder, hint, choices, suggestions } = field
    const id = `field-${word}`
    const input =
      choices === undefined
        ? element('input', { id, placeholder, title: hint, spellcheck: 'false' })
        : select(id, choices, this.#valueOf(word))
    input.value = this.#valueOf(word)
    this.#inputs.set(word, input)
    const made = element('label', { class: `field ${word}`, for: id }, element('span', {}, label), input)
    if (suggestions !== undefined) {
      const list = new Suggestions(`list-${word}`, suggestions)
      input.setAttribute('list', list.element.id)
      input.addEventListener('focus', () => void list.refresh())
      made.append(list.element)
    }
    return made
  }

  /** Words that came by the address and have no input of their own. */
  #chips(): readonly HTMLElement[] {
    return this.#others().map(([word, value]) =>
      button(`${word} = ${value} ×`, () => this.#emit(this.#read().filter(([name]) => name !== word)), {
        class: 'chip',
        title: 'Leave this out of the filter',
      }),
    )
  }

  #others(): Words {
    return this.#view.words.filter(([word]) => !isAttributeWord(word) && !this.#inputs.has(word))
  }

  #valueOf(word: string): string {
    return word === 'attributes' ? writeAttributeWords(this.#view.words) : wordOf(this.#view, word)
  }

  #read(): Words {
    const typed = [...this.#inputs].flatMap(([word, { value }]) => {
      if (word === 'attributes') return readAttributeWords(value)
      return value.trim() === '' ? [] : [[word, value.trim()] as const]
    })
    return [...typed, ...this.#others()]
  }

  #changed(): void {
    const words = this.#read()
    if (JSON.stringify(words) !== JSON.stringify(this.#view.words)) this.#emit(words, false)
  }

  #emit(words: Words, isShownAnew = true): void {
    clearTimeout(this.#typing)
    const view = { ...this.#view, words }
    // While somebody types the inputs stay as they are.
    if (isShownAnew) this.show(view)
    else this.#view = view
    this.#reset.hidden = words.length === 0
    this.#onChange(view)
  }
}

/** @param value that is chosen: from an address it may be one that is not proposed. */
function select(id: string, choices: NonNullable<Field['choices']>, value: string): HTMLSelectElement {
  const all = choices.some(([known]) => known === value) ? choices : [...choices, [value, value] as const]
  return element('select', { id }, ...all.map(([each, label]) => element('option', { value: each }, label)))
}
