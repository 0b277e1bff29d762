import type { AttributeValue } from '../attributes.ts'
import { eventNameOf } from '../event-name.ts'
import type { ContentSpan, Message } from './conversation.ts'
import { messagesListed } from './loose-messages.ts'
import { partsOf } from './loose-part.ts'
import { isObject, readAttribute, structured } from './loose-value.ts'

/** Holds the attributes of a span apart from it, also as a log record. */
const DETAILS = 'gen_ai.client.inference.operation.details'

/** The system's instructions, and what else was said to the model. */
export function openTelemetryInput(span: ContentSpan): readonly Message[] {
  const instructions = partsOf(structured(detailOf(span, 'gen_ai.system_instructions')))
  const messages = messagesListed(detailOf(span, 'gen_ai.input.messages'), 'user')
  return instructions.length === 0 ? messages : [{ role: 'system', parts: instructions }, ...messages]
}

/** What the model said. */
export function openTelemetryOutput(span: ContentSpan): readonly Message[] {
  return messagesListed(detailOf(span, 'gen_ai.output.messages'), 'assistant')
}

/** An attribute of the span, else of the event that tells its details. */
function detailOf({ attributes, events, logs }: ContentSpan, key: string): AttributeValue | undefined {
  const own = readAttribute(attributes, key)
  if (own !== undefined) return own
  for (const event of events) {
    if (event.name !== DETAILS) continue
    const value = readAttribute(event.attributes, key)
    if (value !== undefined) return value
  }
  for (const log of logs ?? []) {
    if (eventNameOf(log) !== DETAILS) continue
    const value = readAttribute(log.attributes, key) ?? memberOf(log.body, key)
    if (value !== undefined) return value
  }
  return undefined
}

/** Instrumentations of the first hour have the attributes in the body. */
function memberOf(body: AttributeValue | undefined, key: string): AttributeValue | undefined {
  return isObject(body) ? readAttribute(body, key) : undefined
}
