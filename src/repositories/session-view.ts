import type { Readable } from 'node:stream'
import type { AttributeValue } from '../models/attributes.ts'
import type { ContentSpan, Conversation, Message } from '../models/conversation/conversation.ts'
import { conversationOf } from '../models/conversation/conversation-of.ts'
import { parseJson, stringifyJson } from '../models/json.ts'
import type { RecordFilter } from './filter.ts'
import type { SessionRepository, TurnRow } from './session-repository.ts'

/** A session to be looked at: in short, and its turns in order. */
export interface SessionView {
  /** JSON text, as `SessionRepository.streamSessions` has it. */
  readonly head: string
  /**
   * JSON text of each, as `SessionRepository.streamTurns` has it, with `input`, the message of the user that it began with, and `output`, the message that it ended
   * with, in OpenTelemetry's form.
   */
  readonly turns: AsyncIterable<string>
}

/** Reads a session for a person. @returns undefined when there is no such session. */
export async function readSessionView(
  sessions: SessionRepository,
  { sessionId, ...filter }: RecordFilter & { readonly sessionId: string },
  signal: AbortSignal,
): Promise<SessionView | undefined> {
  const found = await sessions.streamSessions({ ...filter, session: sessionId, limit: 1 }, signal)
  let head: string | undefined
  for await (const [json] of found as AsyncIterable<readonly [string]>) head = json
  if (head === undefined) return undefined
  return { head, turns: turnTexts(await sessions.streamTurns(sessionId, filter, signal)) }
}

async function* turnTexts(rows: Readable): AsyncGenerator<string> {
  for await (const row of rows as AsyncIterable<TurnRow>) yield turnText(row)
}

function turnText([turn, first, last]: TurnRow): string {
  const asked = conversations(first).flatMap(
    ({ input }) => input.findLast(({ role }) => role === 'user') ?? [],
  )
  const answered = conversations(last).flatMap(({ output }) => output.at(-1) ?? [])
  return `${turn.slice(0, -1)}${member('input', asked[0])}${member('output', answered[0])}}`
}

function conversations(spans: string): readonly Conversation[] {
  return (parseJson(spans).value as readonly ContentSpan[]).flatMap((span) => conversationOf(span) ?? [])
}

function member(name: string, message: Message | undefined): string {
  return message === undefined ? '' : `,"${name}":${stringifyJson(message as unknown as AttributeValue)}`
}
