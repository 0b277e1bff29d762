import type { AttributeValue } from '../attributes.ts'
import { eventNameOf } from '../event-name.ts'
import type { ContentSpan, Message } from './conversation.ts'
import { messagesOf } from './loose-messages.ts'
import { firstValue, readAttribute } from './loose-value.ts'

/** The whole prompt in one attribute, as JSON or as text. */
export function promptAttribute(span: ContentSpan): readonly Message[] {
  return messagesOf(readEither(span, 'gen_ai.prompt', 'gen_ai.content.prompt'), 'user')
}

/** The whole completion in one attribute, as JSON or as text. */
export function completionAttribute(span: ContentSpan): readonly Message[] {
  return messagesOf(readEither(span, 'gen_ai.completion', 'gen_ai.content.completion'), 'assistant')
}

/** On the span, OpenLIT has the value under the name of the event that had it before. */
function readEither(
  { attributes, events, logs }: ContentSpan,
  key: string,
  event: string,
): AttributeValue | undefined {
  const own = firstValue(readAttribute(attributes, key), readAttribute(attributes, event))
  if (own !== undefined) return own
  const named = [
    ...events.filter(({ name }) => name === event),
    ...(logs ?? []).filter((log) => eventNameOf(log) === event),
  ]
  for (const { attributes: ofEvent } of named) {
    const value = firstValue(readAttribute(ofEvent, key))
    if (value !== undefined) return value
  }
  return undefined
}
