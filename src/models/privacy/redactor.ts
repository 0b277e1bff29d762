import type { Attributes, AttributeValue } from '../attributes.ts'
import { parseJson, stringifyJson } from '../json.ts'
import { matchesPattern } from '../name-pattern.ts'
import { copyMembers, setOwn } from '../normalize-value.ts'
import type { RedactionRule } from './redaction-rule.ts'
import type { RedactionTally } from './redaction-tally.ts'

/** Attribute names that are remembered. Past so many, all are looked at again. */
const MAX_KNOWN_KEYS = 10_000
/** Shorter numbers are no card's. */
const MIN_LONG_NUMBER = 1e12

/** Texts of JSON in texts of JSON. */
const MAX_NESTED_TEXTS = 3
/** No attribute is so deep, only JSON in a text: what is deeper is hidden, under the name of no rule. */
const MAX_DEPTH = 256
const TOO_DEEP = 'too_deep'
const UNICODE_ESCAPE = /\\u([0-9a-f]{4})/gi
const IS_JSON = /^\s*[[{]/

/** Hides what rules say in texts and attributes. What has nothing to hide is given back as it is, without a copy. */
export class Redactor {
  readonly #rules: readonly RedactionRule[]
  readonly #hasKeys: boolean
  readonly #byKey = new Map<string, RedactionRule | null>()
  #nestedTexts = 0

  constructor(rules: readonly RedactionRule[]) {
    this.#rules = rules
    this.#hasKeys = rules.some(({ keys }) => keys.length > 0)
  }

  get isIdle(): boolean {
    return this.#rules.length === 0
  }

  text<T extends string | undefined>(text: T, tally: RedactionTally): T
  text(text: string | undefined, tally: RedactionTally): string | undefined {
    if (text === undefined || text === '') return text
    let kept = this.#hasKeys && IS_JSON.test(text) ? this.#jsonText(text, tally) : text
    for (const { name, hide } of this.#rules) {
      if (hide === undefined) continue
      const hidden = hideIn(kept, name, hide)
      if (hidden === kept) continue
      kept = hidden
      count(tally, name)
    }
    return kept
  }

  /**
   * Whether JSON text holds something to hide that its values may not: of a name that is there twice, parsing leaves one value.
   */
  hidesInJson(text: string): boolean {
    const unescaped = text.replaceAll(UNICODE_ESCAPE, (_, code) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    )
    return this.#rules.some(
      ({ name, hide }) => hide !== undefined && hideIn(unescaped, name, hide) !== unescaped,
    )
  }

  hasRuleFor(key: string): boolean {
    return this.#ruleOf(key) !== undefined
  }

  /** What stands instead of the value of an attribute of this name, or undefined where the name says nothing. */
  maskOfKey(key: string, tally: RedactionTally): string | undefined {
    const rule = this.#ruleOf(key)
    if (rule === undefined) return undefined
    return hideWhole(tally, rule.name)
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

  /** Arguments of tools and messages come as JSON in a text: the names in it count, too. */
  #jsonText(text: string, tally: RedactionTally): string {
    if (this.#nestedTexts >= MAX_NESTED_TEXTS) return text
    const { value, rejection } = parseJson(text)
    if (rejection !== undefined) return text
    this.#nestedTexts += 1
    try {
      const kept = this.value(value as AttributeValue, tally)
      return Object.is(kept, value) && !this.hidesInJson(text) ? text : stringifyJson(kept)
    } finally {
      this.#nestedTexts -= 1
    }
  }

  #number(value: number | bigint, tally: RedactionTally): AttributeValue {
    if (value < MIN_LONG_NUMBER) return value
    const text = String(value)
    const kept = this.text(text, tally)
    return kept === text ? value : kept
  }

  #ruleOf(key: string): RedactionRule | undefined {
    let known = this.#byKey.get(key)
    if (known === undefined) {
      const name = key.toLowerCase()
      known = this.#rules.find(({ keys }) => keys.some((pattern) => matchesPattern(pattern, name))) ?? null
      if (this.#byKey.size >= MAX_KNOWN_KEYS) this.#byKey.clear()
      this.#byKey.set(key, known)
    }
    return known ?? undefined
  }
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
