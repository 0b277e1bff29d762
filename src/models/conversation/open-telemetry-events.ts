import type { ContentSpan, Message } from './conversation.ts'
import { eventsNamed, type MessageEvent } from './event-body.ts'
import { messageOf } from './loose-message.ts'
import { structured } from './loose-value.ts'

const ROLES: ReadonlyMap<string, string> = new Map([
  ['gen_ai.system.message', 'system'],
  ['gen_ai.user.message', 'user'],
  ['gen_ai.assistant.message', 'assistant'],
  ['gen_ai.tool.message', 'tool'],
])

/** What was said to the model, an event each message. */
export function messageEvents(span: ContentSpan): readonly Message[] {
  const kinds = eventsNamed(span, (name) => ROLES.has(name))
  return firstSaid(
    kinds.map((events) => events.map(({ name, body }) => messageOf(body, ROLES.get(name) ?? 'user'))),
  )
}

/** What the model said, an event each choice. */
export function choiceEvents(span: ContentSpan): readonly Message[] {
  const kinds = eventsNamed(span, (name) => name === 'gen_ai.choice')
  return firstSaid(kinds.map((events) => events.toSorted(byIndex).map(choiceOf)))
}

/** Some instrumentations send the same as events of the span and as log records: one kind counts. */
function firstSaid(kinds: readonly (readonly Message[])[]): readonly Message[] {
  return kinds.find((messages) => messages.some(({ parts }) => parts.length > 0)) ?? []
}

function byIndex(a: MessageEvent, b: MessageEvent): number {
  return indexOf(a) - indexOf(b)
}

function indexOf({ body: { index } }: MessageEvent): number {
  return typeof index === 'number' ? index : 0
}

/** A message that is text is its content. */
function choiceOf({ body }: MessageEvent): Message {
  const message = structured(body.message)
  const isText = typeof message === 'string'
  return messageOf(isText ? { ...body, message: null, content: message } : body, 'assistant')
}
