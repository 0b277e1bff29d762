import type { Attributes, AttributeValue } from '../attributes.ts'
import type { ContentSpan, Message } from './conversation.ts'
import { messageOf } from './loose-message.ts'
import { messagesOf, textMessages } from './loose-messages.ts'
import { firstText, isList, isObject, type LooseObject, readAttribute, structured } from './loose-value.ts'
import { readIndexed } from './read-indexed.ts'

/** `llm.input_messages.N`, else the prompts of text completions. */
export function openInferenceInput({ attributes }: ContentSpan): readonly Message[] {
  const messages = listOf(attributes, 'llm.input_messages').map((item) => toMessage(item, 'user'))
  return messages.length > 0 ? messages : textsOf(attributes, 'llm.prompts', 'prompt.text', 'user')
}

/** `llm.output_messages.N`, else the choices of text completions. */
export function openInferenceOutput({ attributes }: ContentSpan): readonly Message[] {
  const messages = listOf(attributes, 'llm.output_messages').map((item) => toMessage(item, 'assistant'))
  return messages.length > 0 ? messages : textsOf(attributes, 'llm.choices', 'completion.text', 'assistant')
}

/** `input.value`, which every kind of span has. */
export function openInferenceInputValue({ attributes }: ContentSpan): readonly Message[] {
  return valueMessages(attributes, 'input', 'user')
}

/** `output.value`. */
export function openInferenceOutputValue({ attributes }: ContentSpan): readonly Message[] {
  return valueMessages(attributes, 'output', 'assistant')
}

function valueMessages(attributes: Attributes, side: string, role: string): readonly Message[] {
  const value = readAttribute(attributes, `${side}.value`)
  const isPlain = readAttribute(attributes, `${side}.mime_type`) === 'text/plain'
  return isPlain ? textMessages(value, role) : messagesOf(value, role)
}

function textsOf(attributes: Attributes, prefix: string, path: string, role: string): readonly Message[] {
  return listOf(attributes, prefix).map((item) => messageOf(memberAt(item, path) ?? item, role))
}

/** Indexed attributes, or a list where the exporter had no need to flatten it. */
function listOf(attributes: Attributes, prefix: string): readonly AttributeValue[] {
  const indexed = readIndexed(attributes, prefix)
  if (indexed.length > 0) return indexed
  const list = structured(readAttribute(attributes, prefix))
  return isList(list) ? list : []
}

function toMessage(item: AttributeValue, role: string): Message {
  const contents = memberAt(item, 'message.contents')
  const calls = memberAt(item, 'message.tool_calls')
  const message: Record<string, AttributeValue | undefined> = {
    role: memberAt(item, 'message.role'),
    name: memberAt(item, 'message.name'),
    tool_call_id: memberAt(item, 'message.tool_call_id'),
    content: isList(contents) ? contents.map(toPart) : memberAt(item, 'message.content'),
    tool_calls: isList(calls) ? calls.map(toCall) : undefined,
    function_call: functionCall(item),
  }
  return messageOf(defined(message), role)
}

/** A content's members are named after it: `message_content.text`. */
function toPart(item: AttributeValue): AttributeValue {
  const type = firstText(memberAt(item, 'message_content.type'))
  if (type === undefined) return item
  const text = memberAt(item, 'message_content.text')
  if (type === 'tool_use') return { ...toCall(item), ...toCall(memberAt(item, 'message_content')), type }
  return text === undefined ? { type, ...membersOf(item, 'message_content') } : { type, text }
}

function toCall(item: AttributeValue | undefined): LooseObject {
  return defined({
    id: memberAt(item, 'tool_call.id'),
    name: memberAt(item, 'tool_call.function.name'),
    arguments: memberAt(item, 'tool_call.function.arguments'),
  })
}

/** How OpenAI's models called functions before they called tools. */
function functionCall(item: AttributeValue): AttributeValue | undefined {
  const name = memberAt(item, 'message.function_call_name')
  const given = memberAt(item, 'message.function_call_arguments_json')
  return name === undefined ? undefined : defined({ name, arguments: given })
}

function membersOf(item: AttributeValue, name: string): LooseObject {
  const members = memberAt(item, name)
  return isObject(members) ? members : isObject(item) ? item : {}
}

/** A member of a member, also where a list was not flattened and its name has dots. */
function memberAt(item: AttributeValue | undefined, path: string): AttributeValue | undefined {
  if (!isObject(item)) return undefined
  if (Object.hasOwn(item, path)) return item[path]
  const dot = path.indexOf('.')
  return dot < 0 ? undefined : memberAt(item[path.slice(0, dot)], path.slice(dot + 1))
}

function defined(members: Readonly<Record<string, AttributeValue | undefined>>): LooseObject {
  return Object.fromEntries(
    Object.entries(members).filter((entry): entry is [string, AttributeValue] => entry[1] !== undefined),
  )
}
