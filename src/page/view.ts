/** The three kinds of records that are watched. */
export const TAIL_SIGNALS = ['logs', 'spans', 'metrics'] as const
export type TailSignal = (typeof TAIL_SIGNALS)[number]

/** What is looked at. All of it is in the address, so that a view can be sent to somebody. */
export interface View {
  readonly signal: TailSignal
  /** The filter, in the words of the API; `attr.<name>` among them. */
  readonly words: readonly (readonly [word: string, value: string])[]
  /** The trace that is open. */
  readonly trace: string | undefined
  /** The span of it that is selected. */
  readonly span: string | undefined
}

/** Of a view, not of a filter. */
const OWN_WORDS = ['trace', 'span']

/** Reads the fragment of an address: `#logs?service=api&level=error&trace=…`. What cannot be meant is all logs. */
export function readView(fragment: string): View {
  const [, path = '', query = ''] = /^#?([^?]*)\??(.*)$/s.exec(fragment) ?? []
  const given = [...new URLSearchParams(query)]
  const own = (word: string) => given.find(([name]) => name === word)?.[1].toLowerCase()
  return {
    signal: TAIL_SIGNALS.find((signal) => signal === path) ?? 'logs',
    words: given.filter(([word, value]) => !OWN_WORDS.includes(word) && value !== ''),
    trace: matching(own('trace'), /^[0-9a-f]{32}$/),
    span: matching(own('span'), /^[0-9a-f]{16}$/),
  }
}

/** The other way around. */
export function writeView({ signal, words, trace, span }: View): string {
  const query = new URLSearchParams(words.map(([word, value]): [string, string] => [word, value]))
  if (trace !== undefined) query.set('trace', trace)
  if (trace !== undefined && span !== undefined) query.set('span', span)
  return query.size === 0 ? `#${signal}` : `#${signal}?${query}`
}

/** The value of a word of the filter; empty where it is not there. */
export function wordOf({ words }: Pick<View, 'words'>, word: string): string {
  return words.find(([name]) => name === word)?.[1] ?? ''
}

function matching(text: string | undefined, pattern: RegExp): string | undefined {
  return text !== undefined && pattern.test(text) ? text : undefined
}
