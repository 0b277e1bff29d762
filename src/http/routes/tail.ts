import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from '../../metrics.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { BadParameter } from '../../repositories/bad-parameter.ts'
import type { FilterColumns } from '../../repositories/filter.ts'
import { LOG_RECORD_COLUMNS } from '../../repositories/log-record-repository.ts'
import { POINT_COLUMNS } from '../../repositories/metric-repository.ts'
import { readFilter, type WrittenFilter } from '../../repositories/read-filter.ts'
import { SPAN_COLUMNS } from '../../repositories/trace-repository.ts'
import { MAX_HISTORY, type SignalTail, type TailQuestion } from '../../tail/signal-tail.ts'
import type { TailEvent } from '../../tail/tail-event.ts'
import { parseTailId, type TailId } from '../../tail/tail-id.ts'
import { clientGone } from '../client-gone.ts'
import { EventFrames } from '../encoders/event-frames.ts'
import { events } from '../openapi/answers.ts'
import type { ComponentName } from '../openapi/component-schemas.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendProblem } from '../problem.ts'
import { sendEvents } from '../send-events.ts'
import { type FilterQuery, filterSchema } from './filter-query.ts'

export interface TailRoutesOptions {
  readonly tails: Readonly<Record<TelemetrySignal, SignalTail>>
  readonly maxWatchers: number
  readonly metrics: Metrics
}

const PARAMETERS = {
  history: {
    type: 'integer',
    minimum: 0,
    maximum: MAX_HISTORY,
    description: `So many of the last records that match come first. Without it: none, with from ${MAX_HISTORY}.`,
  },
  sample: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    description: 'Share of the records that match. Those of one trace come, or do not, together.',
  },
  limit: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000_000,
    description: 'Records, after which it ends.',
  },
  lastEventId: {
    type: 'string',
    maxLength: 64,
    description:
      'The id of the last record that was seen, as the header Last-Event-ID has it: all after it come.',
  },
}

interface TailQuery extends Omit<FilterQuery, 'format' | 'limit'> {
  history?: number
  sample: number
  limit?: number
  lastEventId?: string
}

const DESCRIPTION = `Server-Sent Events. A record has the id of its entry and its place in it, and is data in the shape of the list; from other events \
there are heartbeat (nothing was left out up to now; every 15 seconds), dropped {count} (left out here, for the client reads too slowly), gap {from, to, entries, \
reason} (entries that were not looked at) and bye {reason} (shutdown: come again; limit).`

function docsOf(operationId: string, tag: RouteDocs['tag'], item: ComponentName, summary: string): RouteDocs {
  return { operationId, tag, summary, description: DESCRIPTION, responses: events(item) }
}

/** Records as they come, live. */
export function tailRoutes(app: FastifyInstance, options: TailRoutesOptions): void {
  const frames = new EventFrames()
  const route = (telemetrySignal: TelemetrySignal, url: string, columns: FilterColumns, docs: RouteDocs) => {
    const { properties, ...schema } = filterSchema(columns, PARAMETERS)
    const { to: _, format: __, ...words } = properties
    app.get<{ Querystring: TailQuery }>(
      url,
      { exposeHeadRoute: false, schema: { querystring: { ...schema, properties: words } }, config: { docs } },
      (request, reply) => answer(request, reply, { ...options, telemetrySignal, frames }),
    )
  }
  route(
    'logs',
    '/api/v1/logs/tail',
    LOG_RECORD_COLUMNS,
    docsOf('tailLogRecords', 'logs', 'LogRecord', 'Log records as they come'),
  )
  route(
    'traces',
    '/api/v1/spans/tail',
    SPAN_COLUMNS,
    docsOf('tailSpans', 'traces', 'Span', 'Spans as they come'),
  )
  route(
    'metrics',
    '/api/v1/metrics/tail',
    POINT_COLUMNS,
    docsOf('tailDataPoints', 'metrics', 'DataPoint', 'Data points as they come'),
  )
}

async function answer(
  request: FastifyRequest<{ Querystring: TailQuery }>,
  reply: FastifyReply,
  {
    tails,
    maxWatchers,
    metrics,
    telemetrySignal,
    frames,
  }: TailRoutesOptions & { readonly telemetrySignal: TelemetrySignal; readonly frames: EventFrames },
): Promise<void> {
  const question = readQuestion(request)
  const watchers = Object.values(tails).reduce((sum, tail) => sum + tail.watchers, 0)
  if (watchers >= maxWatchers) {
    const detail = `${watchers} tails are open, as many as there may be (TAIL_MAX_WATCHERS): close one, or come again`
    sendProblem(reply, { status: 503, title: 'Too many tails', detail })
    return
  }
  const gone = clientGone(reply)
  const onSent = (sent: readonly TailEvent[]) => countSent(metrics, telemetrySignal, sent)
  await sendEvents(reply, tails[telemetrySignal].watch(question, gone), { gone, frames, onSent })
}

function readQuestion({ query, headers }: FastifyRequest<{ Querystring: TailQuery }>): TailQuestion {
  const { sample, limit, lastEventId, history = query.from === undefined ? 0 : MAX_HISTORY, ...words } = query
  const after = readLastEventId(lastEventId ?? headers['last-event-id']?.toString())
  const readsStored = history > 0 || after !== undefined
  const filter = readFilter(words as WrittenFilter, Date.now(), { readsStored })
  return { filter, after, history, sample, limit }
}

function readLastEventId(text: string | undefined): TailId | undefined {
  if (text === undefined || text === '') return undefined
  const id = parseTailId(text)
  if (id !== undefined) return id
  throw new BadParameter(
    'lastEventId',
    'lastEventId (or the header Last-Event-ID) must be the id of an event of this tail, such as 1780000000000-0-0',
  )
}

function countSent(metrics: Metrics, signal: TelemetrySignal, sent: readonly TailEvent[]): void {
  let records = 0
  for (const { kind } of sent) if (kind === 'record') records += 1
  metrics.tailRecordsSent.inc({ signal }, records)
}
