import type { AttributeValue } from '../attributes.ts'
import type { ContentSpan, Message } from './conversation.ts'
import { messageOf } from './loose-message.ts'
import { isList, isObject, parseText } from './loose-value.ts'
import { readIndexed } from './read-indexed.ts'

/** `gen_ai.prompt.N`. */
export function openLlmetryInput({ attributes }: ContentSpan): readonly Message[] {
  return readIndexed(attributes, 'gen_ai.prompt').map((item) => toMessage(item, 'user'))
}

/** `gen_ai.completion.N`. */
export function openLlmetryOutput({ attributes }: ContentSpan): readonly Message[] {
  return readIndexed(attributes, 'gen_ai.completion').map((item) => toMessage(item, 'assistant'))
}

function toMessage(item: AttributeValue, role: string): Message {
  if (!isObject(item)) return messageOf(item, role)
  // What was sent to Anthropic's completions is `gen_ai.prompt.0.user`.
  const content = partList(item.content ?? item.user)
  if (item.role !== 'thinking') return messageOf({ ...item, content: content ?? null }, role)
  return messageOf({ role: 'assistant', reasoning_content: item.content ?? null }, role)
}

/** Content of several parts is their list as JSON text; any other JSON is what somebody said. */
function partList(content: AttributeValue | undefined): AttributeValue | undefined {
  if (typeof content !== 'string' || !content.startsWith('[')) return content
  const list = parseText(content)
  const isParts = isList(list) && list.every((part) => isObject(part) && typeof part.type === 'string')
  return isParts ? list : content
}
