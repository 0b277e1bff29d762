import type { Attributes, AttributeValue } from '../attributes.ts'
import { setOwn } from '../normalize-value.ts'
import { MAX_MESSAGES } from './conversation.ts'
import { normalForm } from './loose-value.ts'

/** A number as instrumentations write it. Others (`00`, `-1`, `1e9`) are names. */
const INDEX = /^(?:0|[1-9]\d{0,14})$/
/** `llm.input_messages.0.message.contents.0.message_content.image.image.url` has 8 after the first number. */
const MAX_SEGMENTS = 16

interface Node {
  value?: AttributeValue
  members?: Map<string, Node>
}

/**
 * The list that was written as attributes: `prefix.0.role`, `prefix.0.tool_calls.1.name` and so on. Its
 * items come in the order of their numbers, whatever the order of the attributes; gaps close.
 */
export function readIndexed(attributes: Attributes, prefix: string): readonly AttributeValue[] {
  const root: Node = {}
  for (const key of Object.keys(attributes)) {
    if (!key.startsWith(`${prefix}.`)) continue
    const path = key.slice(prefix.length + 1).split('.', MAX_SEGMENTS + 1)
    const value = attributes[key]
    const isPath = path.length <= MAX_SEGMENTS && INDEX.test(path[0] ?? '')
    if (isPath && value !== undefined && value !== null) place(root, path, value)
  }
  return root.members === undefined ? [] : itemsOf(root.members)
}

function place(root: Node, path: readonly string[], value: AttributeValue): void {
  let node = root
  for (const segment of path) {
    node.members ??= new Map()
    let next = node.members.get(segment)
    if (next === undefined) {
      next = {}
      node.members.set(segment, next)
    }
    node = next
  }
  node.value = normalForm(value)
}

function itemsOf(members: ReadonlyMap<string, Node>): readonly AttributeValue[] {
  const numbered = Array.from(members, ([name, node]) => [Number(name), node] as const)
  const sorted = numbered.sort(([a], [b]) => a - b)
  return sorted.slice(0, MAX_MESSAGES).map(([, node]) => valueIn(node))
}

/** Where a value stands beside members of its own, the members say more. */
function valueIn({ value, members }: Node): AttributeValue {
  if (members === undefined) return value ?? null
  if ([...members.keys()].every((name) => INDEX.test(name))) return itemsOf(members)
  const object: Record<string, AttributeValue> = {}
  for (const [name, node] of members) setOwn(object, name, valueIn(node))
  return object
}
