import type { Attributes, AttributeValue } from './attributes.ts'
import type { JsonKey } from './json-keys.ts'
import { setOwn } from './normalize-value.ts'
import { UnparsedObject } from './unparsed-object.ts'

/**
 * Attributes that hold what was said to a model and what it said: long, private, and never filtered by.
 * Indexed forms (`gen_ai.prompt.0.content`) belong to them; names beside them (`gen_ai.prompt.name`,
 * `llm.prompt_template.template`) and definitions of tools do not.
 */
const CONTENT_KEY = new RegExp(
  `^(?:${[
    'gen_ai\\.(?:input\\.messages|output\\.messages|system_instructions)',
    'gen_ai\\.(?:prompt|completion)(?:\\.\\d.*)?',
    'gen_ai\\.tool\\.call\\.(?:arguments|result)',
    'llm\\.(?:input_messages|output_messages|prompts|completions)(?:\\..*)?',
    '(?:input|output)\\.value',
    'traceloop\\.entity\\.(?:input|output)',
    'ai\\.prompt(?:\\..*)?',
    'ai\\.(?:response|result)\\.(?:text|object|toolCalls|reasoning)',
    'ai\\.toolCall\\.(?:args|result)',
  ].join('|')})$`,
  's',
)

/** Programs have few attribute names, and each is looked at once a span. Past so many, all are forgotten: they cost a regular expression again. */
const MAX_KNOWN_KEYS = 10_000
const known = new Map<string, boolean>()

/** Whether an attribute is the body of a prompt or a completion. */
export function isContentKey(key: string): boolean {
  let isContent = known.get(key)
  if (isContent === undefined) {
    isContent = CONTENT_KEY.test(key)
    if (known.size >= MAX_KNOWN_KEYS) known.clear()
    known.set(key, isContent)
  }
  return isContent
}

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
