import type { Attributes, AttributeValue } from '../attributes.ts'
import { looksLikeJson, parseJson, stringifyJson } from '../json.ts'
import { copyMembers, setOwn } from '../normalize-value.ts'
import { hasRepeatedNames } from '../repeated-names.ts'
import { MAX_DEPTH, MAX_NESTED_TEXTS } from './privacy-limits.ts'
import type { RedactionRule } from './redaction-rule.ts'
import type { RedactionTally } from './redaction-tally.ts'

/** Attribute names that are remembered. Past so many, all are looked at again; longer ones always are. */
const MAX_KNOWN_KEYS = 10_000
const MAX_KNOWN_KEY_LENGTH = 256
/** Shorter numbers are no card's. */
const MIN_LONG_NUMBER = 1e12
/** What is deeper is hidden under this name, which is no rule's. */
const TOO_DEEP = 'too_deep'
/** Of JSON that cannot be parsed, cut off or inside other text: the letter of an escape is no part of the word behind it. */
const ESCAPES = /\\[bfnrt]/g
/** Private use: no letter, no digit, and nothing that is sent. */
const ESCAPE_MARKS: Readonly<Record<string, string>> = {
  '\\b': '\u{E5B0}',
  '\\f': '\u{E5B1}',
  '\\n': '\u{E5B2}',
  '\\r': '\u{E5B3}',
  '\\t': '\u{E5B4}',
}
const MARKS = /[\u{E5B0}-\u{E5B4}]/gu

/** Hides what rules say in texts and attributes. What has nothing to hide is given back as it is, without a copy. */
export class Redactor {
  readonly #rules: readonly RedactionRule[]
  readonly #byKey = new Map<string, RedactionRule | null>()
  #nestedTexts = 0

  constructor(rules: readonly RedactionRule[]) {
    this.#rules = rules
  }

  get isIdle(): boolean {
    return this.#rules.length === 0
  }

  /** Messages and arguments of tools come as JSON in a text: of such a text what it says is looked at, and the names in it count, too. */
  text<T extends string | undefined>(text: T, tally: RedactionTally): T
  text(text: string | undefined, tally: RedactionTally): string | undefined {
    if (text === undefined || text === '' || this.isIdle) return text
    if (looksLikeJson(text) && this.#nestedTexts < MAX_NESTED_TEXTS) {
      const { value, rejection } = parseJson(text)
      if (rejection === undefined) return this.#jsonText(text, value as AttributeValue, tally)
    }
    if (!text.includes('\\') || text.search(MARKS) >= 0) return this.#plainText(text, tally)
    const marked = text.replaceAll(ESCAPES, (letter) => ESCAPE_MARKS[letter] ?? letter)
    const kept = this.#plainText(marked, tally)
    return kept === marked ? text : kept.replaceAll(MARKS, unmarked)
  }

  /** What stands instead of the value of an attribute of this name, or undefined where the name says nothing. */
  maskOfKey(key: string, tally: RedactionTally): string | undefined {
    const rule = this.#ruleOf(key)
    return rule && hideWhole(tally, rule.name)
  }

  /** @param depth containers around it. */
  value(value: AttributeValue, tally: RedactionTally, depth = 0): AttributeValue {
    if (typeof value === 'string') return this.text(value, tally)
    if (typeof value === 'number' || typeof value === 'bigint') return this.#number(value, tally)
    if (typeof value !== 'object' || value === null) return value
    if (depth >= MAX_DEPTH) return hideWhole(tally, TOO_DEEP)
    if (!Array.isArray(value)) return this.attributes(value as Attributes, tally, depth)
    let copy: AttributeValue[] | undefined
    value.forEach((item: AttributeValue, index) => {
      const kept = this.value(item, tally, depth + 1)
      if (Object.is(kept, item)) return
      copy ??= [...value]
      copy[index] = kept
    })
    return copy ?? value
  }

  attributes(attributes: Attributes, tally: RedactionTally, depth = 0): Attributes {
    if (this.isIdle) return attributes
    let copy: Record<string, AttributeValue> | undefined
    for (const key of Object.keys(attributes)) {
      const value = attributes[key] ?? null
      const kept = this.maskOfKey(key, tally) ?? this.value(value, tally, depth + 1)
      if (Object.is(kept, value)) continue
      copy ??= copyMembers(attributes)
      setOwn(copy, key, kept)
    }
    return copy ?? attributes
  }

  #plainText(text: string, tally: RedactionTally): string {
    let kept = text
    for (const { name, hide } of this.#rules) {
      if (hide === undefined) continue
      const hidden = hideIn(kept, name, hide)
      if (hidden === kept) continue
      kept = hidden
      count(tally, name)
    }
    return kept
  }

  #jsonText(text: string, value: AttributeValue, tally: RedactionTally): string {
    this.#nestedTexts += 1
    try {
      const kept = this.value(value, tally)
      return Object.is(kept, value) && !hasRepeatedNames(text, value) ? text : stringifyJson(kept)
    } finally {
      this.#nestedTexts -= 1
    }
  }

  #number(value: number | bigint, tally: RedactionTally): AttributeValue {
    if (value < MIN_LONG_NUMBER) return value
    const text = String(value)
    const kept = this.#plainText(text, tally)
    return kept === text ? value : kept
  }

  #ruleOf(key: string): RedactionRule | undefined {
    if (key.length > MAX_KNOWN_KEY_LENGTH) return this.#findRule(key)
    let known = this.#byKey.get(key)
    if (known === undefined) {
      known = this.#findRule(key) ?? null
      if (this.#byKey.size >= MAX_KNOWN_KEYS) this.#byKey.clear()
      this.#byKey.set(key, known)
    }
    return known ?? undefined
  }

  #findRule(key: string): RedactionRule | undefined {
    const name = key.toLowerCase()
    const bare = name.replaceAll(/[_-]/g, '')
    return this.#rules.find(({ keys }) =>
      keys.some((pattern) => pattern.matches(name) || pattern.matches(bare)),
    )
  }
}

function unmarked(mark: string): string {
  return Object.keys(ESCAPE_MARKS).find((letter) => ESCAPE_MARKS[letter] === mark) ?? mark
}

/** The engine of regular expressions gives up on texts of many megabytes, some of them: such a text is hidden as a whole. */
function hideIn(text: string, name: string, hide: NonNullable<RedactionRule['hide']>): string {
  try {
    return hide(text, maskOf(name))
  } catch (error) {
    if (error instanceof RangeError) return maskOf(name)
    throw error
  }
}

function hideWhole(tally: RedactionTally, name: string): string {
  count(tally, name)
  return maskOf(name)
}

function maskOf(name: string): string {
  return `[redacted:${name}]`
}

function count(tally: RedactionTally, name: string): void {
  tally.set(name, (tally.get(name) ?? 0) + 1)
}
