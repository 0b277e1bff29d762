import type { Readable } from 'node:stream'
import type { Attributes, AttributeValue } from '../models/attributes.ts'
import type { ContentEvent, ContentLog } from '../models/conversation/conversation.ts'
import { conversationOf } from '../models/conversation/conversation-of.ts'
import { parseJson, stringifyJson } from '../models/json.ts'
import type { EvaluationRepository } from './evaluation-repository.ts'
import type { LogRecordRepository, MessagePlace } from './log-record-repository.ts'
import type { TraceRepository, TraceSpanRow } from './trace-repository.ts'
import { treeOrder } from './tree-order.ts'

/** Spans of a trace, messages and evaluations that are shown. Of a larger trace those that start first. */
const MAX_SPANS = 10_000
const MAX_MESSAGES = 10_000
const MAX_EVALUATIONS = 10_000

export interface TraceViewRepositories {
  readonly traces: TraceRepository
  readonly logRecords: LogRecordRepository
  readonly evaluations: EvaluationRepository
}

/** A trace to be looked at: in short, and its spans as its tree is read. */
export interface TraceView {
  /** JSON text: that of `TraceRepository.summary`, `isCut` where there are more spans than are shown, and the `evaluations` of the trace as a whole. */
  readonly head: string
  /**
   * JSON text of each: a span as it was sent, its `depth` in the tree, and where there is something to say `genAi` (model, tokens, cost), its `conversation`
   * (`{input, output}`, messages in OpenTelemetry's form) and its `evaluations`.
   */
  readonly spans: AsyncIterable<string>
}

/**
 * Reads a trace for a person. What is held at once are the ids of its spans, its evaluations, and a few spans.
 *
 * @returns undefined when there is no such trace.
 */
export async function readTraceView(
  { traces, logRecords, evaluations }: TraceViewRepositories,
  traceId: string,
  signal: AbortSignal,
): Promise<TraceView | undefined> {
  const summary = await traces.summary(traceId)
  if (summary === undefined) return undefined
  const [places, messages, found] = await Promise.all([
    traces.spanPlaces(traceId, MAX_SPANS + 1),
    logRecords.messagePlaces(traceId, MAX_MESSAGES),
    evaluations.ofTrace(traceId, MAX_EVALUATIONS),
  ])
  const placed = treeOrder(places.slice(0, MAX_SPANS))
  const rows = await traces.streamTrace(
    traceId,
    placed.map(({ span }) => span),
    signal,
  )
  const bySpan = groupBySpan(found)
  const messagesOf = groupMessages(messages)
  return {
    head: withMembers(summary, {
      isCut: places.length > MAX_SPANS ? 'true' : undefined,
      evaluations: listOf(bySpan.get('')),
    }),
    spans: spanTexts(rows, async ([position, span, genAi, mayBeSaid]) => {
      const place = placed[position - 1]
      const spanId = place?.span.spanId ?? ''
      const own = messagesOf.get(spanId)
      const logs = own === undefined ? [] : await logRecords.messages(traceId, own)
      return withMembers(span, {
        depth: String(place?.depth ?? 0),
        genAi: genAi === '{}' ? undefined : genAi,
        conversation: mayBeSaid || logs.length > 0 ? conversationText(span, logs) : undefined,
        evaluations: listOf(bySpan.get(spanId)),
      })
    }),
  }
}

async function* spanTexts(
  rows: Readable,
  toText: (row: TraceSpanRow) => Promise<string>,
): AsyncGenerator<string> {
  for await (const row of rows as AsyncIterable<TraceSpanRow>) yield await toText(row)
}

/** What was said in a span, as JSON text. */
function conversationText(span: string, logs: readonly ContentLog[]): string | undefined {
  const { attributes = {}, events = [] } = (parseJson(span).value ?? {}) as {
    readonly attributes?: Attributes
    readonly events?: readonly ContentEvent[]
  }
  const conversation = conversationOf({ attributes, events, logs })
  return conversation && stringifyJson(conversation as unknown as AttributeValue)
}

/** An object's JSON text with more members, given as JSON text. */
function withMembers(object: string, members: Readonly<Record<string, string | undefined>>): string {
  const more = Object.entries(members).flatMap(([name, text]) =>
    text === undefined ? [] : [`${JSON.stringify(name)}:${text}`],
  )
  return more.length === 0 ? object : `${object.slice(0, -1)},${more.join(',')}}`
}

function listOf(texts: readonly string[] | undefined): string | undefined {
  return texts && `[${texts.join(',')}]`
}

function groupBySpan(
  found: readonly { readonly spanId: string | null; readonly json: string }[],
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const { spanId, json } of found) {
    const group = groups.get(spanId ?? '')
    if (group === undefined) groups.set(spanId ?? '', [json])
    else group.push(json)
  }
  return groups
}

function groupMessages(messages: readonly MessagePlace[]): ReadonlyMap<string, readonly MessagePlace[]> {
  const groups = new Map<string, MessagePlace[]>()
  for (const message of messages) {
    const group = groups.get(message.spanId)
    if (group === undefined) groups.set(message.spanId, [message])
    else group.push(message)
  }
  return groups
}
