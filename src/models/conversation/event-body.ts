import type { Attributes, AttributeValue } from '../attributes.ts'
import { eventNameOf } from '../event-name.ts'
import type { ContentLog, ContentSpan } from './conversation.ts'
import { isObject, type LooseObject, normalForm, readAttribute, structured } from './loose-value.ts'

/** What an event of a message may say of it. Beside these stand attributes of the call. */
const MEMBERS = [
  'role',
  'content',
  'id',
  'name',
  'tool_calls',
  'tool_call_id',
  'index',
  'finish_reason',
  'message',
]

/** An event about one message, whether it came with the span or as a log record. */
export interface MessageEvent {
  readonly name: string
  readonly body: LooseObject
}

/** The events of some names that came with the span, and those that came as log records. */
export function eventsNamed(
  { events, logs }: ContentSpan,
  isName: (name: string) => boolean,
): readonly (readonly MessageEvent[])[] {
  const ofSpan = events.filter(({ name }) => isName(name))
  const ofLogs = (logs ?? []).filter((log) => isName(eventNameOf(log) ?? ''))
  return [
    ofSpan.map(({ name, attributes }) => ({ name, body: bodyInAttributes(attributes) })),
    ofLogs.map((log) => ({ name: eventNameOf(log) ?? '', body: bodyOf(log) })),
  ]
}

function bodyOf({ body, attributes }: ContentLog): LooseObject {
  const given = structured(normalForm(body))
  if (isObject(given)) return given
  const inAttributes = bodyInAttributes(attributes)
  return typeof given === 'string' && given !== '' ? { ...inAttributes, content: given } : inAttributes
}

/** Azure's SDK has the body as JSON text in one attribute; others have its members as attributes. */
function bodyInAttributes(attributes: Attributes): LooseObject {
  const content = structured(readAttribute(attributes, 'gen_ai.event.content'))
  if (isObject(content)) return content
  const body: Record<string, AttributeValue> = {}
  for (const member of MEMBERS) {
    const value = readAttribute(attributes, member)
    if (value !== undefined) body[member] = value
  }
  if (typeof content === 'string') body.content ??= content
  return body
}
