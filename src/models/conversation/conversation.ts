import type { Attributes, AttributeValue } from '../attributes.ts'

/** What was said to a model and what it said, in OpenTelemetry's form, whichever instrumentation told it. */
export interface Conversation {
  readonly input: readonly Message[]
  readonly output: readonly Message[]
}

/** One message of OpenTelemetry's `gen_ai.input.messages` and `gen_ai.output.messages`. */
export interface Message {
  /** As it was sent: mostly system, user, assistant or tool. */
  readonly role: string
  readonly parts: readonly MessagePart[]
  readonly name?: string
  readonly finishReason?: string
}

export type MessagePart = TextPart | ReasoningPart | ToolCallPart | ToolCallResponsePart | OtherPart

export interface TextPart {
  readonly type: 'text'
  readonly content: string
}

export interface ReasoningPart {
  readonly type: 'reasoning'
  readonly content: string
}

export interface ToolCallPart {
  readonly type: 'tool_call'
  readonly id?: string
  readonly name: string
  /** A value where it came as JSON text. */
  readonly arguments?: AttributeValue
}

export interface ToolCallResponsePart {
  readonly type: 'tool_call_response'
  readonly id?: string
  readonly response: AttributeValue
}

/** A part of another type (blob, file, uri, image_url, …), whose type is `kind`, as it came. */
export interface OtherPart {
  readonly type: 'other'
  readonly kind: string
  readonly value: AttributeValue
}

/** What a conversation is read from: a span, and the log records that name it. */
export interface ContentSpan {
  readonly attributes: Attributes
  readonly events: readonly ContentEvent[]
  readonly logs?: readonly ContentLog[]
}

export interface ContentEvent {
  readonly name: string
  readonly attributes: Attributes
}

export interface ContentLog {
  readonly eventName: string | undefined
  readonly body: AttributeValue | undefined
  readonly attributes: Attributes
}

/** Messages of one span, and parts of one message: what is beyond is left out. */
export const MAX_MESSAGES = 10_000
export const MAX_PARTS = 10_000
