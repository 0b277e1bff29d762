import type { AttributeValue } from '../attributes.ts'
import { MAX_MESSAGES, type Message } from './conversation.ts'
import { isMessage, messageOf } from './loose-message.ts'
import { isAnswer, isKnownPart, partsOf } from './loose-part.ts'
import { isList, isObject, type LooseObject, readableText, structured } from './loose-value.ts'

/** Members that hold the messages of a request or a response to a model, best first. */
const LISTS = ['messages', 'choices', 'input', 'output', 'prompt']
/** Members of what the Vercel AI SDK is called with. Beside others a prompt would hide them. */
const PROMPT = new Set(['system', 'prompt', 'messages'])

/**
 * The messages in a value of any form, also as JSON text: messages, the request or response they stand
 * in, parts of one, or else one message that is the text of it all. Empty for what says nothing.
 */
export function messagesOf(value: AttributeValue | undefined, role: string): readonly Message[] {
  const given = structured(value)
  if (given === undefined || given === null || given === '') return []
  const messages = isList(given) ? messagesInList(given, role) : messagesInObject(given, role)
  if (messages !== undefined) return messages
  // Of text that is read as it came no blank is lost.
  return textMessages(typeof given === 'object' && typeof value === 'string' ? value : given, role)
}

/** One message that is the text of a value. */
export function textMessages(value: AttributeValue | undefined, role: string): readonly Message[] {
  if (value === undefined || value === null || value === '') return []
  return [{ role, parts: [{ type: 'text', content: readableText(value) }] }]
}

/** The messages of what is a list of them by its name, whatever they lack. */
export function messagesListed(value: AttributeValue | undefined, role: string): readonly Message[] {
  const list = structured(value)
  if (!isList(list)) return messagesOf(value, role)
  return list.slice(0, MAX_MESSAGES).map((item) => messageOf(item, role))
}

function messagesInList(given: readonly AttributeValue[], role: string): readonly Message[] | undefined {
  // LangChain has a list of messages for each of its inputs.
  const list = given.every(isList) ? given.flat() : given
  if (list.length === 0) return []
  if (list.some(isSpoken)) return messagesListed(list, role)
  if (!isPartList(list)) return undefined
  return list.some(isAnswer) ? messagesListed(list, role) : [{ role, parts: partsOf(list) }]
}

function messagesInObject(given: AttributeValue, role: string): readonly Message[] | undefined {
  if (!isObject(given)) return undefined
  const keys = Object.keys(given)
  if (keys.length === 0) return []
  if (isMessage(given)) return [messageOf(given, role)]
  for (const member of LISTS) {
    const list = given[member]
    const messages = isList(list) ? messagesInList(list, role) : undefined
    if (messages !== undefined && messages.length > 0) return [...instructionsOf(given), ...messages]
  }
  const isPrompt = typeof given.prompt === 'string' && keys.every((key) => PROMPT.has(key))
  return isPrompt ? [...instructionsOf(given), ...textMessages(given.prompt, role)] : undefined
}

/** Whether an item is a message, and not a part that might be any one's. */
function isSpoken(item: AttributeValue): boolean {
  return isMessage(item) && !(isKnownPart(item) && typeof item.role !== 'string')
}

function isPartList(list: readonly AttributeValue[]): boolean {
  return list.some(isKnownPart) && list.every((item) => isObject(item) && typeof item.type === 'string')
}

/** Anthropic and the Vercel AI SDK (`system`) and OpenAI's responses (`instructions`) have them beside the messages. */
function instructionsOf({ system, instructions }: LooseObject): readonly Message[] {
  const parts = partsOf(system ?? instructions)
  return parts.length === 0 ? [] : [{ role: 'system', parts }]
}
