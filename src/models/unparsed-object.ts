import type { AttributeValue } from './attributes.ts'
import { parseJson } from './json.ts'
import type { JsonKey } from './json-keys.ts'
import { plainInteger, plainText } from './plain-value.ts'

/** A value, parsed if it is not yet. */
export function parsed(value: unknown): unknown {
  return value instanceof UnparsedObject ? value.parse() : value
}

/** The members of a JSON object, by where they are in the bytes it came in. */
export interface UnparsedMembers {
  readonly keys: readonly JsonKey[]
  /** Three a member: where its key begins, where its value does, and where that ends. */
  readonly bounds: readonly number[]
}

export interface UnparsedText {
  readonly bytes: Buffer
  readonly latin1: string
  readonly from: number
  readonly to: number
}

const BOUNDS = 3

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
  readonly #latin1: string

  /** @param text the bytes, the same as text (a character each, which makes parts of it cheap), and where the object is in them. */
  constructor(text: UnparsedText, members: UnparsedMembers) {
    this.bytes = text.bytes
    this.#latin1 = text.latin1
    this.from = text.from
    this.to = text.to
    this.members = members
  }

  get text(): string {
    return this.bytes.toString('utf8', this.from, this.to)
  }

  parse(): unknown {
    return parseJson(this.text).value
  }

  /** What JSON.stringify writes in its place. */
  toJSON(): unknown {
    return this.parse()
  }

  /** The value of a member, by its place in `members.keys`. */
  valueOf(member: number): AttributeValue {
    const { bounds } = this.members
    const from = bounds[member * BOUNDS + 1] ?? this.from
    const to = bounds[member * BOUNDS + 2] ?? this.to
    return (
      plainInteger(this.#latin1, from, to) ??
      plainText(this.#latin1, from, to) ??
      (parseJson(this.bytes.toString('utf8', from, to)).value as AttributeValue)
    )
  }

  /** An object of some of the members, in bytes of its own. */
  pick(isPicked: (key: JsonKey) => boolean): UnparsedObject {
    const { keys, bounds } = this.members
    const bytes = Buffer.allocUnsafe(this.to - this.from)
    const picked: { keys: JsonKey[]; bounds: number[] } = { keys: [], bounds: [] }
    let at = bytes.write('{', 0, 'latin1')
    keys.forEach((key, member) => {
      if (!isPicked(key)) return
      if (picked.keys.length > 0) at += bytes.write(',', at, 'latin1')
      const [keyFrom = 0, valueFrom = 0, valueTo = 0] = bounds.slice(member * BOUNDS, (member + 1) * BOUNDS)
      const moved = at - keyFrom
      picked.keys.push(key)
      picked.bounds.push(at, valueFrom + moved, valueTo + moved)
      at += this.bytes.copy(bytes, at, keyFrom, valueTo)
    })
    at += bytes.write('}', at, 'latin1')
    return new UnparsedObject({ bytes, latin1: bytes.toString('latin1', 0, at), from: 0, to: at }, picked)
  }
}
