import type { Readable } from 'node:stream'
import type { Attributes, AttributeValue } from '../models/attributes.ts'
import type { ContentEvent, ContentLog } from '../models/conversation/conversation.ts'
import { conversationOf } from '../models/conversation/conversation-of.ts'
import { parseJson, stringifyJson } from '../models/json.ts'
import type { EvaluationRepository } from './evaluation-repository.ts'
import type { LogRecordRepository } from './log-record-repository.ts'
import type { SpanPlace, TraceRepository, TraceSpanRow } from './trace-repository.ts'
import { treeOrder } from './tree-order.ts'

/** What is shown of a trace. Of a larger one the spans that start first, and the oldest messages and evaluations. */
const MAX_SPANS = 10_000
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024
const MAX_EVALUATIONS = 10_000

export interface TraceViewRepositories {
  readonly traces: TraceRepository
  readonly logRecords: LogRecordRepository
  readonly evaluations: EvaluationRepository
}

/** A trace to be looked at: in short, and its spans as its tree is read. */
export interface TraceView {
  /**
   * JSON text: that of `TraceRepository.summary`, the `evaluations` of the trace as a whole, and `spansAreCut`, `messagesAreCut`, `evaluationsAreCut` where there are more than are shown.
   */
  readonly head: string
  /**
   * JSON text of each: a span as it was sent, its `depth` in the tree, and where there is something to say `genAi` (model, tokens, cost), its `conversation`
   * (`{input, output}`, messages in OpenTelemetry's form) and its `evaluations`.
   */
  readonly spans: AsyncIterable<string>
}

/**
 * Reads a trace for a person. What is held at once are the ids of its spans, its evaluations, the messages of its log records, and a few spans; of connections
 * one at a time.
 *
 * @returns undefined when there is no such trace.
 */
export async function readTraceView(
  { traces, logRecords, evaluations }: TraceViewRepositories,
  traceId: string,
  signal: AbortSignal,
): Promise<TraceView | undefined> {
  const trace = await traces.find(traceId, signal)
  if (trace === undefined) return undefined
  // One after the other: what a connection has learned of the partitions of this time serves all of them.
  const summary = await traces.summary(trace, signal)
  const places = await traces.spanPlaces(trace, MAX_SPANS + 1, signal)
  const said = await logRecords.messages(trace, MAX_MESSAGE_BYTES, signal)
  // Its last partition may have been dropped meanwhile.
  if (summary === undefined) return undefined
  const found = await evaluations.ofTrace(trace, spansByAnswer(places), {
    limit: MAX_EVALUATIONS + 1,
    signal,
  })
  const placed = treeOrder(places.slice(0, MAX_SPANS))
  const messages = groupBySpan(said.messages)
  const judgements = groupBySpan(found.slice(0, MAX_EVALUATIONS))
  const ordered = placed.map(({ span }) => span)
  const rows = await traces.streamTrace(trace, ordered, signal)
  return {
    head: withMembers(summary, {
      spansAreCut: places.length > MAX_SPANS ? 'true' : undefined,
      messagesAreCut: said.isCut ? 'true' : undefined,
      evaluationsAreCut: found.length > MAX_EVALUATIONS ? 'true' : undefined,
      evaluations: listOf(judgements.take('')),
    }),
    spans: spanTexts(rows, ([position, span, genAi, mayBeSaid]) => {
      const { span: { spanId } = { spanId: '' }, depth = 0 } = placed[position - 1] ?? {}
      const logs = messages.take(spanId)
      return withMembers(span, {
        depth: String(depth),
        genAi: genAi === '{}' ? undefined : genAi,
        conversation: mayBeSaid || logs !== undefined ? conversationText(span, logs ?? []) : undefined,
        evaluations: listOf(judgements.take(spanId)),
      })
    }),
  }
}

/** Of spans that name one answer the first: the others are around it. */
function spansByAnswer(places: readonly SpanPlace[]): ReadonlyMap<string, string> {
  const spans = new Map<string, string>()
  for (const { responseId, spanId } of places) {
    if (responseId !== null && !spans.has(responseId)) spans.set(responseId, spanId)
  }
  return spans
}

async function* spanTexts(rows: Readable, toText: (row: TraceSpanRow) => string): AsyncGenerator<string> {
  for await (const row of rows as AsyncIterable<TraceSpanRow>) yield toText(row)
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

function listOf(found: readonly { readonly json: string }[] | undefined): string | undefined {
  return found && `[${found.map(({ json }) => json).join(',')}]`
}

/** What belongs to spans, by their ids. Of spans that share one the first takes all. */
function groupBySpan<T extends { readonly spanId: string }>(items: readonly T[]) {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(item.spanId)
    if (group === undefined) groups.set(item.spanId, [item])
    else group.push(item)
  }
  return {
    take(spanId: string): readonly T[] | undefined {
      const group = groups.get(spanId)
      groups.delete(spanId)
      return group
    },
  }
}
