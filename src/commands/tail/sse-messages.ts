import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** Characters of one message: the largest record that is accepted is far smaller. */
const MAX_MESSAGE = 64 * 1024 * 1024

/**
 * The messages of a stream of Server-Sent Events. No more is read than is taken.
 *
 * @param onRetry how long the server wants clients to wait before they connect again, in milliseconds.
 */
export async function* sseMessages(
  body: AsyncIterable<Uint8Array>,
  onRetry: (ms: number) => void,
): AsyncGenerator<EventSourceMessage> {
  let messages: EventSourceMessage[] = []
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onRetry,
    maxBufferSize: MAX_MESSAGE,
  })
  const decoder = new TextDecoder()
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }))
    const complete = messages
    messages = []
    yield* complete
  }
}
