import { createHash } from 'node:crypto'
import type { Attributes, AttributeValue } from '../attributes.ts'
import { isContentKey } from '../content-keys.ts'
import { looksLikeJson, parseJson, stringifyJson } from '../json.ts'
import { copyMembers, setOwn } from '../normalize-value.ts'
import { MAX_DEPTH } from './privacy-limits.ts'

/** What is kept of prompts and completions. */
export const CONTENT_POLICIES = ['keep', 'truncate', 'hash', 'drop'] as const
export type ContentPolicyName = (typeof CONTENT_POLICIES)[number]

/** Ends a text that was cut. */
const CUT = /… \[\d{1,10} characters\]$/
const CUT_MAX_CHARACTERS = 26
const HASHED = /^sha256:[0-9a-f]{64}$/

/**
 * Applies the policy to the bodies of prompts and completions. What went through it once is not changed by going through it again.
 *
 * `truncate` keeps so many characters (UTF-16 units) of every text, and says how many there were. `hash` keeps the SHA-256 of a text, of what is none of its JSON:
 * equal prompts can still be told from others.
 */
export class ContentPolicy {
  readonly #name: ContentPolicyName
  readonly #maxCharacters: number

  constructor(name: ContentPolicyName, maxCharacters: number) {
    this.#name = name
    this.#maxCharacters = maxCharacters
  }

  get isIdle(): boolean {
    return this.#name === 'keep'
  }

  /** @returns undefined where nothing is kept. */
  apply(value: AttributeValue): AttributeValue | undefined {
    if (this.#name === 'keep' || value === null) return value
    if (this.#name === 'drop') return undefined
    if (this.#name === 'truncate') return this.#cut(value, 0)
    const text = typeof value === 'string' ? value : stringifyJson(value)
    return HASHED.test(text) ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`
  }

  /** The attributes, with the policy applied to those that `isBody` says are bodies. */
  attributes(attributes: Attributes, isBody: (key: string) => boolean = isContentKey): Attributes {
    if (this.isIdle) return attributes
    let copy: Record<string, AttributeValue> | undefined
    for (const key of Object.keys(attributes)) {
      if (!isBody(key)) continue
      const value = attributes[key] ?? null
      const kept = this.apply(value)
      if (Object.is(kept, value)) continue
      copy ??= copyMembers(attributes)
      if (kept === undefined) delete copy[key]
      else setOwn(copy, key, kept)
    }
    return copy ?? attributes
  }

  #cut(value: AttributeValue, depth: number): AttributeValue {
    if (typeof value === 'string') return this.#cutText(value, depth)
    if (typeof value !== 'object' || value === null) return value
    if (depth >= MAX_DEPTH) return null
    if (Array.isArray(value)) return value.map((item: AttributeValue) => this.#cut(item, depth + 1))
    const copy = copyMembers(value as Attributes)
    for (const key of Object.keys(copy)) setOwn(copy, key, this.#cut(copy[key] ?? null, depth + 1))
    return copy
  }

  /** Messages are written as JSON in a text: what they say is cut, not their JSON, so that they can still be read. */
  #cutText(text: string, depth: number): string {
    const max = this.#maxCharacters
    if (text.length <= max || (text.length <= max + CUT_MAX_CHARACTERS && CUT.test(text))) return text
    if (looksLikeJson(text)) {
      const { value } = parseJson(text)
      if (value !== undefined) return stringifyJson(this.#cut(value as AttributeValue, depth + 1))
    }
    // Never between the halves of a character.
    const last = text.charCodeAt(max - 1)
    const end = last >= 0xd800 && last <= 0xdbff ? max - 1 : max
    return `${text.slice(0, end)}… [${text.length} characters]`
  }
}
