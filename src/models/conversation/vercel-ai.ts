import type { Attributes, AttributeValue } from '../attributes.ts'
import type { ContentSpan, Message } from './conversation.ts'
import { messageOf } from './loose-message.ts'
import { messagesListed, messagesOf } from './loose-messages.ts'
import { firstValue, readAttribute, readableText } from './loose-value.ts'
import { toolCallMessages, toolResponseMessages } from './tool-span.ts'

/** What the provider was sent, else what the SDK was called with, else what a tool was called with. */
export function vercelInput({ attributes }: ContentSpan): readonly Message[] {
  const messages = messagesListed(readAttribute(attributes, 'ai.prompt.messages'), 'user')
  if (messages.length > 0) return messages
  const prompt = messagesOf(readAttribute(attributes, 'ai.prompt'), 'user')
  return prompt.length > 0 ? prompt : toolCallMessages(attributes, TOOL)
}

/** The one message that the SDK has in an attribute for each kind of part, else what a tool answered. */
export function vercelOutput({ attributes }: ContentSpan): readonly Message[] {
  const object = readResponse(attributes, 'object')
  const said = {
    reasoning_content: readResponse(attributes, 'reasoning') ?? null,
    content: readResponse(attributes, 'text') ?? (object === undefined ? null : readableText(object)),
    tool_calls: readResponse(attributes, 'toolCalls') ?? null,
    finishReason: readResponse(attributes, 'finishReason') ?? null,
  }
  const message = messageOf(said, 'assistant')
  return message.parts.length > 0 ? [message] : toolResponseMessages(attributes, TOOL)
}

const TOOL = {
  id: 'ai.toolCall.id',
  name: 'ai.toolCall.name',
  arguments: 'ai.toolCall.args',
  result: 'ai.toolCall.result',
}

/** Before version 4 of the SDK it was `ai.result`. */
function readResponse(attributes: Attributes, member: string): AttributeValue | undefined {
  return firstValue(
    readAttribute(attributes, `ai.response.${member}`),
    readAttribute(attributes, `ai.result.${member}`),
  )
}
