import type { Attributes, AttributeValue } from './attributes.ts'
import { isContentKey } from './content-keys.ts'
import type { JsonKey } from './json-keys.ts'
import { setOwn } from './normalize-value.ts'
import { UnparsedObject } from './unparsed-object.ts'

/** Whether any of the attributes is. */
export function hasContent(attributes: Attributes | UnparsedObject): boolean {
  if (attributes instanceof UnparsedObject) return attributes.members.keys.some(isContent)
  for (const key of Object.keys(attributes)) if (isContentKey(key)) return true
  return false
}

/**
 * Takes the bodies of prompts and completions out of attributes, to be stored beside the span. Without
 * any, `attributes` is the very object that came in and `content` is undefined.
 */
export function splitContent<A extends Attributes | UnparsedObject>(
  attributes: A,
): { readonly attributes: A | Attributes; readonly content: A | Attributes | undefined }
export function splitContent(attributes: Attributes | UnparsedObject): {
  readonly attributes: Attributes | UnparsedObject
  readonly content: Attributes | UnparsedObject | undefined
} {
  if (!hasContent(attributes)) return { attributes, content: undefined }
  if (attributes instanceof UnparsedObject) {
    return { attributes: attributes.pick((key) => !key.isContent), content: attributes.pick(isContent) }
  }
  const rest: Record<string, AttributeValue> = {}
  const content: Record<string, AttributeValue> = {}
  for (const key of Object.keys(attributes))
    setOwn(isContentKey(key) ? content : rest, key, attributes[key] ?? null)
  return { attributes: rest, content }
}

function isContent(key: JsonKey): boolean {
  return key.isContent
}
