/**
 * Events that are one message each: OpenTelemetry's semantic conventions 1.28 to 1.36, gen-ai-events.md. As log records they have it in their body, as span events in
 * their attributes.
 */
const MESSAGE_EVENT = /^gen_ai\.(?:(?:system|user|assistant|tool)\.message|choice)$/

/** Attributes of such span events that hold what was said. */
const BODIES: ReadonlySet<string> = new Set(['content', 'message', 'tool_calls'])

/** Whether an event of this name is a message. */
export function isMessageEvent(name: unknown): boolean {
  return typeof name === 'string' && MESSAGE_EVENT.test(name)
}

/** Whether an attribute of an event of that kind holds what was said. */
export function isMessageBody(key: string): boolean {
  return BODIES.has(key)
}
