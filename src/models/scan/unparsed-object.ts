import type { AttributeValue } from '../attributes.ts'
import { parseJson } from '../json.ts'
import type { JsonKey } from './json-keys.ts'
import { INTEGER, type JsonKind, TEXT, ZERO } from './json-scanner.ts'

/** The members of a JSON object, by where they are in the bytes it came in. */
export interface UnparsedMembers {
  readonly keys: readonly JsonKey[]
  /** Four a member: where its key begins (at its quote), where its value does, where that ends, and its {@link JsonKind}. */
  readonly parts: readonly number[]
}

const PARTS = 4
const VALUE_FROM = 1
const VALUE_TO = 2
const KIND = 3

/**
 * A JSON object as the bytes it came in, for what is only to be stored needs not be parsed. It is in normal form (see {@link AttributeValue}): its keys
 * differ, and jsonb takes it as it is. Only its numbers may be written otherwise than JavaScript would: jsonb keeps the zero of 1.0,
 * and digits past the precision of a double.
 */
export class UnparsedObject {
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
  readonly members: UnparsedMembers
  /** Whether a member is the body of a prompt or a completion. */
  readonly hasContent: boolean
  /** Whether a member may tell an evaluation, or names an event. */
  readonly mayTell: boolean

  constructor(bytes: Buffer, from: number, to: number, members: UnparsedMembers) {
    this.bytes = bytes
    this.from = from
    this.to = to
    this.members = members
    this.hasContent = members.keys.some(isContent)
    this.mayTell = members.keys.some(mayTell)
  }

  get text(): string {
    return this.bytes.toString('utf8', this.from, this.to)
  }

  parse(): unknown {
    return parseJson(this.text).value
  }

  kindOf(member: number): JsonKind {
    return this.members.parts[member * PARTS + KIND] as JsonKind
  }

  /** Where the value of a member begins and ends: of a text what is between its quotes. */
  fromOf(member: number): number {
    const quote = this.kindOf(member) === TEXT ? 1 : 0
    return (this.members.parts[member * PARTS + VALUE_FROM] as number) + quote
  }

  toOf(member: number): number {
    const quote = this.kindOf(member) === TEXT ? 1 : 0
    return (this.members.parts[member * PARTS + VALUE_TO] as number) - quote
  }

  /** A member that is an {@link INTEGER}. */
  integer(member: number): number {
    const to = this.toOf(member)
    let integer = 0
    for (let at = this.fromOf(member); at < to; at += 1)
      integer = integer * 10 + (this.bytes[at] as number) - ZERO
    return integer
  }

  value(member: number): AttributeValue {
    const kind = this.kindOf(member)
    const text = this.bytes.toString('utf8', this.fromOf(member), this.toOf(member))
    if (kind === TEXT) return text
    return kind === INTEGER ? this.integer(member) : (parseJson(text).value as AttributeValue)
  }

  /** The members without those of prompts and completions, and those alone, each in bytes of their own. */
  split(): { readonly attributes: UnparsedObject; readonly content: UnparsedObject } {
    return { attributes: this.#pick((key) => !key.isContent), content: this.#pick(isContent) }
  }

  #pick(isPicked: (key: JsonKey) => boolean): UnparsedObject {
    const { keys, parts } = this.members
    const bytes = Buffer.allocUnsafe(this.to - this.from)
    const picked: { keys: JsonKey[]; parts: number[] } = { keys: [], parts: [] }
    let at = bytes.write('{', 0, 'latin1')
    keys.forEach((key, member) => {
      if (!isPicked(key)) return
      if (picked.keys.length > 0) at += bytes.write(',', at, 'latin1')
      const [keyFrom = 0, valueFrom = 0, valueTo = 0, kind = 0] = parts.slice(
        member * PARTS,
        (member + 1) * PARTS,
      )
      const moved = at - keyFrom
      picked.keys.push(key)
      picked.parts.push(at, valueFrom + moved, valueTo + moved, kind)
      at += this.bytes.copy(bytes, at, keyFrom, valueTo)
    })
    at += bytes.write('}', at, 'latin1')
    return new UnparsedObject(bytes, 0, at, picked)
  }
}

function isContent(key: JsonKey): boolean {
  return key.isContent
}

function mayTell(key: JsonKey): boolean {
  return key.mayTell
}
