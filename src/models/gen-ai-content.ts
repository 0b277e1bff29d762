import type { Attributes, AttributeValue } from './attributes.ts'
import { isContentKey } from './content-keys.ts'
import { setOwn } from './normalize-value.ts'

/** Whether any of the attributes is. */
export function hasContent(attributes: Attributes): boolean {
  for (const key of Object.keys(attributes)) if (isContentKey(key)) return true
  return false
}

/**
 * Takes the bodies of prompts and completions out of attributes, to be stored beside the span. Without
 * any, `attributes` is the very object that came in and `content` is undefined.
 */
export function splitContent(attributes: Attributes): {
  readonly attributes: Attributes
  readonly content: Attributes | undefined
} {
  if (!hasContent(attributes)) return { attributes, content: undefined }
  const rest: Record<string, AttributeValue> = {}
  const content: Record<string, AttributeValue> = {}
  for (const key of Object.keys(attributes))
    setOwn(isContentKey(key) ? content : rest, key, attributes[key] ?? null)
  return { attributes: rest, content }
}
