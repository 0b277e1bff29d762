import type { Attributes } from './attributes.ts'
import { isMessageEvent } from './content-events.ts'
import { isPlainObject } from './decode-fields.ts'
import { eventNameOf } from './event-name.ts'
import { hasContent } from './gen-ai-content.ts'
import { stringifyJson } from './json.ts'
import type { LogRecord } from './log-record.ts'

/** The body as text: one that is not a string as its JSON. */
export function bodyText({ body }: Pick<LogRecord, 'body'>): string | undefined {
  return body === undefined || typeof body === 'string' ? body : stringifyJson(body)
}

/** Whether the body is that of an event that is a message, or holds messages by name (`gen_ai.client.inference.operation.details`). */
export function isBodyContent(record: LogRecord): boolean {
  const { body } = record
  if (body === undefined) return false
  return isMessageEvent(eventNameOf(record)) || (isPlainObject(body) && hasContent(body as Attributes))
}

/** The text that is stored with the log record, and searched: what was said to a model and by it is kept beside, and is not. */
export function searchedBodyText(record: LogRecord): string | undefined {
  return isBodyContent(record) ? undefined : bodyText(record)
}
