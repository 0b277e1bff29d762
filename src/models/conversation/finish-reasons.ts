import type { Attributes } from '../attributes.ts'
import type { Message } from './conversation.ts'
import { firstText, isList, readAttribute, structured } from './loose-value.ts'

/** Hold one reason a choice, which OpenTelemetry no longer has on the messages themselves. */
const KEYS = ['gen_ai.response.finish_reasons', 'llm.finish_reason', 'ai.response.finishReason']

/** The messages with the reasons that only the span tells; as they are where there is not one for each. */
export function withFinishReasons(messages: readonly Message[], attributes: Attributes): readonly Message[] {
  for (const key of KEYS) {
    const value = structured(readAttribute(attributes, key))
    const reasons = isList(value) ? value : [value]
    if (firstText(...reasons.slice(0, 1)) === undefined || reasons.length !== messages.length) continue
    return messages.map((message, place) => ({
      ...message,
      finishReason: message.finishReason ?? firstText(reasons[place]),
    }))
  }
  return messages
}
