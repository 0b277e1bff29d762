import { type ContentSpan, type Conversation, MAX_MESSAGES, type Message } from './conversation.ts'
import { DIALECTS } from './dialects.ts'
import { withFinishReasons } from './finish-reasons.ts'

/**
 * What was said in a call of a model or a tool, out of whatever instrumentation wrote it down; undefined
 * when the span says nothing of it. Never throws.
 */
export function conversationOf(span: ContentSpan): Conversation | undefined {
  const output = withFinishReasons(firstSaid(span, 'output', MAX_MESSAGES), span.attributes)
  const input = firstSaid(span, 'input', MAX_MESSAGES - output.length)
  return input.length === 0 && output.length === 0 ? undefined : { input, output }
}

/** Messages without any part are what remains of those whose content was not to be recorded. */
function firstSaid(span: ContentSpan, side: 'input' | 'output', most: number): readonly Message[] {
  for (const dialect of DIALECTS) {
    const messages = dialect[side](span)
    if (messages.some(({ parts }) => parts.length > 0)) return messages.slice(0, most)
  }
  return []
}
