import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { QueryOutcome } from '../metrics/query-metrics.ts'
import type { Metrics } from '../metrics.ts'
import { type CountedBody, RowCount } from './encoders/row-count.ts'
import { problemOf } from './problem.ts'

/** Of the requests that run. */
const counts = new WeakMap<FastifyRequest, RowCount>()

/** Observes every query of the API once, when its answer has ended, however it did. Tails are no queries: they end when somebody leaves. */
export function observeQueries(app: FastifyInstance, metrics: Metrics): void {
  let isClosing = false
  app.addHook('preClose', async () => {
    isClosing = true
  })
  app.addHook('onRequest', async (request, reply) => {
    const route = queryRouteOf(request)
    if (route === undefined) return
    const startedAt = performance.now()
    const { socket } = request.raw
    // A connection has answered others before; that of an injected request counts nothing.
    const bytesBefore = socket.bytesWritten ?? 0
    metrics.queriesRunning.inc()
    reply.raw.once('close', () => {
      const count = counts.get(request)
      metrics.queriesRunning.dec()
      metrics.queries.inc({ route, outcome: outcomeOf(reply, count?.error, isClosing) })
      metrics.querySeconds.observe({ route }, (performance.now() - startedAt) / 1000)
      metrics.queryBytes.inc({ route }, (socket.bytesWritten ?? 0) - bytesBefore)
      metrics.queryRows.inc({ route }, count?.rows ?? 0)
      if (count?.firstAt !== undefined)
        metrics.queryFirstRowSeconds.observe({ route }, (count.firstAt - startedAt) / 1000)
    })
  })
}

/** Tells what an answer is made of: a body that counts its rows, or how many there are. */
export function noteRows(request: FastifyRequest, rows: CountedBody | number): void {
  if (typeof rows === 'number') {
    const count = new RowCount()
    if (rows > 0) count.add(rows)
    counts.set(request, count)
    return
  }
  counts.set(request, rows.counted)
  ;(rows as Readable).once('error', (error) => {
    rows.counted.error ??= error
  })
}

/** As OpenAPI writes it. */
function queryRouteOf({ method, routeOptions: { url } }: FastifyRequest): string | undefined {
  const isQuery =
    (method === 'GET' || method === 'HEAD') && url?.startsWith('/api/') && !url.endsWith('/tail')
  return isQuery ? url?.replaceAll(/:(\w+)/g, '{$1}') : undefined
}

function outcomeOf({ raw, statusCode }: FastifyReply, error: unknown, isClosing: boolean): QueryOutcome {
  const status = error === undefined ? statusCode : problemOf(error as Error).status
  if (status === 504) return 'timeout'
  if (error !== undefined || status >= 500) return 'failed'
  // Where a trace is not found it was looked for.
  if (raw.writableFinished) return status >= 400 && status !== 404 ? 'refused' : 'finished'
  return isClosing ? 'shutdown' : 'client'
}
