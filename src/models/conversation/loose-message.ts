import type { AttributeValue } from '../attributes.ts'
import { MAX_PARTS, type Message, type MessagePart } from './conversation.ts'
import { isAnswer, isKnownPart, partsOf } from './loose-part.ts'
import {
  firstText,
  firstValue,
  isList,
  isObject,
  type LooseObject,
  readableText,
  structured,
} from './loose-value.ts'
import { toolCallPart, toolResponsePart } from './tool-part.ts'

/** Members that hold what a message says. */
const CONTENT = [
  'parts',
  'content',
  'text',
  'tool_calls',
  'function_call',
  'refusal',
  'reasoning_content',
  'reasoning',
]
/** Members that a message may have which says nothing: instrumentations leave its content out unless told. */
const BARE = new Set(['role', 'name', 'id', 'index', 'type', 'finish_reason', 'finishReason'])

/** Whether a value is a message beyond doubt, or a choice around one, or an item of OpenAI's responses. */
export function isMessage(value: AttributeValue): boolean {
  if (!isObject(value)) return false
  if (isObject(value.message)) return typeof value.message.role === 'string'
  if (typeof value.role !== 'string') return isKnownPart(value) || isList(value.parts) || isTextChoice(value)
  return CONTENT.some((member) => Object.hasOwn(value, member)) || isBare(value)
}

/**
 * A message of what is meant as one, in the forms of OpenTelemetry, OpenAI, Anthropic and the Vercel AI
 * SDK. `role` is for those that have none.
 */
export function messageOf(value: AttributeValue, role: string): Message {
  if (!isObject(value)) return { role, parts: partsOf(value) }
  const inner = structured(value.message)
  if (!isObject(inner)) return plainMessage(value, role)
  return { ...plainMessage(inner, role), finishReason: finishReasonOf(value) ?? finishReasonOf(inner) }
}

function plainMessage(value: LooseObject, fallback: string): Message {
  const role = firstText(value.role)
  if (role === undefined && isKnownPart(value)) return messageOfPart(value, fallback)
  return {
    role: role ?? fallback,
    parts: saidIn(value, role ?? fallback),
    name: firstText(value.name),
    finishReason: finishReasonOf(value),
  }
}

/** OpenAI's responses have calls, answers and thoughts between the messages. */
function messageOfPart(value: LooseObject, fallback: string): Message {
  const parts = partsOf(value)
  const type = parts[0]?.type
  if (type === 'tool_call_response') return { role: 'tool', parts }
  return { role: type === 'tool_call' || type === 'reasoning' ? 'assistant' : fallback, parts }
}

function saidIn(value: LooseObject, role: string): readonly MessagePart[] {
  const known = CONTENT.some((member) => Object.hasOwn(value, member)) || isBare(value)
  if (!known) return partsOf(readableText(value))
  const content = firstValue(value.parts, value.content, value.text)
  const reasoning = firstText(value.reasoning_content, value.reasoning)
  const parts: MessagePart[] = reasoning === undefined ? [] : [{ type: 'reasoning', content: reasoning }]
  for (const part of isToolAnswer(value, role, content) ? answerOf(value, content) : partsOf(content)) {
    parts.push(part)
  }
  // OpenLLMetry writes Anthropic's calls twice: in the content, and beside it.
  const ids = new Set(parts.map((part) => (part.type === 'tool_call' ? part.id : undefined)))
  for (const call of callsIn(value)) {
    if (call.type !== 'tool_call' || call.id === undefined || !ids.has(call.id)) parts.push(call)
  }
  const refusal = firstText(value.refusal)
  if (refusal !== undefined) parts.push({ type: 'other', kind: 'refusal', value: refusal })
  return parts
}

/** OpenAI's answers of tools are messages whose content is the answer. */
function isToolAnswer(value: LooseObject, role: string, content: AttributeValue | undefined): boolean {
  if (isList(value.parts)) return false
  const isTool = role === 'tool' || role === 'function' || firstText(value.tool_call_id) !== undefined
  return isTool && !(isList(content) && content.some(isAnswer))
}

function answerOf(value: LooseObject, content: AttributeValue | undefined): readonly MessagePart[] {
  if (content === undefined) return []
  return [
    toolResponsePart({ id: firstText(value.tool_call_id, value.toolCallId, value.id) ?? null, content }),
  ]
}

function callsIn(value: LooseObject): readonly MessagePart[] {
  const listed = structured(value.tool_calls)
  const calls = [...(isList(listed) ? listed.slice(0, MAX_PARTS) : [listed]), structured(value.function_call)]
  return calls.flatMap((call) => {
    if (call === undefined || call === null || call === '') return []
    return [toolCallPart(call) ?? { type: 'other', kind: 'tool_call', value: call }]
  })
}

/** What models answered before they chatted. */
function isTextChoice(value: LooseObject): boolean {
  return typeof value.text === 'string' && Object.hasOwn(value, 'finish_reason')
}

function isBare(value: LooseObject): boolean {
  return Object.keys(value).every((member) => BARE.has(member))
}

function finishReasonOf(value: LooseObject): string | undefined {
  return firstText(value.finish_reason, value.finishReason, value.stop_reason)
}
