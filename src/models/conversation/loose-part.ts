import type { AttributeValue } from '../attributes.ts'
import { MAX_PARTS, type MessagePart } from './conversation.ts'
import { firstValue, isList, isObject, type LooseObject, readableText } from './loose-value.ts'
import { toolCallPart, toolResponsePart } from './tool-part.ts'

type PartReader = (part: LooseObject) => MessagePart | undefined

/** The types of parts that mean one of ours, in the words of OpenTelemetry, OpenAI, Anthropic and the Vercel AI SDK. */
const READERS: ReadonlyMap<string, PartReader> = new Map<string, PartReader>([
  ...readBy(textPart, 'text', 'input_text', 'output_text'),
  ...readBy(reasoningPart, 'reasoning', 'thinking'),
  ...readBy(toolCallPart, 'tool_call', 'tool_use', 'tool-call', 'function_call', 'function', 'custom'),
  ...readBy(toolCallPart, 'server_tool_use', 'custom_tool_call'),
  ...readBy(toolResponsePart, 'tool_call_response', 'tool_result', 'tool-result'),
  ...readBy(toolResponsePart, 'function_call_output', 'custom_tool_call_output'),
])

function readBy(reader: PartReader, ...types: readonly string[]): [string, PartReader][] {
  return types.map((type) => [type, reader])
}

/** Whether a value has the type of a part that is known. */
export function isKnownPart(value: AttributeValue): value is LooseObject & { readonly type: string } {
  return isObject(value) && typeof value.type === 'string' && READERS.has(value.type)
}

/** Whether a value is what a tool answered. */
export function isAnswer(value: AttributeValue): boolean {
  return isKnownPart(value) && READERS.get(value.type) === toolResponsePart
}

/** The parts of a message's content: text, one part, or a list of both. Empty text is none. */
export function partsOf(content: AttributeValue | undefined): readonly MessagePart[] {
  if (content === undefined) return []
  const items = isList(content) ? content.slice(0, MAX_PARTS) : [content]
  return items.flatMap((item) => partOf(item))
}

function partOf(value: AttributeValue): readonly MessagePart[] {
  if (value === null || value === '') return []
  if (!isObject(value)) return [{ type: 'text', content: readableText(value) }]
  const part = typedPart(value)
  const isEmpty = (part.type === 'text' || part.type === 'reasoning') && part.content === ''
  return isEmpty ? [] : [part]
}

function typedPart(value: LooseObject): MessagePart {
  const { type } = value
  if (typeof type === 'string') {
    return READERS.get(type)?.(value) ?? { type: 'other', kind: type, value }
  }
  // Gemini's parts have no type.
  return { type: 'text', content: typeof value.text === 'string' ? value.text : readableText(value) }
}

function textPart({ content, text }: LooseObject): MessagePart | undefined {
  const said = [content, text].find((value) => typeof value === 'string')
  return said === undefined ? undefined : { type: 'text', content: said }
}

function reasoningPart(part: LooseObject): MessagePart | undefined {
  const thought = firstValue(part.content, part.text, part.thinking, part.summary)
  const content = thought === undefined ? '' : joinedText(thought)
  return content === undefined ? undefined : { type: 'reasoning', content }
}

/** OpenAI gives a summary as a list of texts. */
function joinedText(value: AttributeValue): string | undefined {
  if (typeof value === 'string') return value
  if (!isList(value)) return undefined
  const texts = value.map((item) => (isObject(item) ? item.text : item))
  return texts.every((text) => typeof text === 'string') ? texts.join('\n\n') : undefined
}
