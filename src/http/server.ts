import Fastify, { type FastifyInstance } from 'fastify'
import { codeOf, ObservatoryError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { MAX_WORD_LENGTH } from '../repositories/filter-words.ts'
import type { ServiceRepository } from '../repositories/service-repository.ts'
import type { SessionRepository } from '../repositories/session-repository.ts'
import type { StatisticsRepository } from '../repositories/statistics-repository.ts'
import type { TraceViewRepositories } from '../repositories/trace-view.ts'
import type { Guard } from './access/create-guard.ts'
import { guardRoutes } from './access/guard-routes.ts'
import { renewTls } from './access/renew-tls.ts'
import { lazyValidators } from './lazy-validators.ts'
import { observeQueries } from './observe-queries.ts'
import { describeRoutes } from './openapi/openapi-document.ts'
import { AJV_OPTIONS, answerClientError, problemHandler, sendProblem } from './problem.ts'
import { refuseOtherMethods } from './refuse-other-methods.ts'
import { type DeadLetterRoutesOptions, deadLetterRoutes } from './routes/dead-letters.ts'
import { evaluationRoutes } from './routes/evaluations.ts'
import { metricRoutes } from './routes/metrics.ts'
import { openApiRoutes } from './routes/openapi.ts'
import { type OperationRoutesOptions, operationRoutes } from './routes/operations.ts'
import { type OtlpRoutesOptions, otlpRoutes } from './routes/otlp.ts'
import { pageRoutes } from './routes/page.ts'
import type { RowLimits } from './routes/query-parameters.ts'
import { type RecordRoutesOptions, recordRoutes } from './routes/records.ts'
import { serviceRoutes } from './routes/services.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { statisticsRoutes } from './routes/statistics.ts'
import { type TailRoutesOptions, tailRoutes } from './routes/tail.ts'
import { traceRoutes } from './routes/traces.ts'
import { watchSilentConnections } from './silent-connections.ts'

/** What the routes of queries read from. */
export type Repositories = RecordRoutesOptions['repositories'] &
  DeadLetterRoutesOptions &
  TraceViewRepositories & {
    readonly services: ServiceRepository
    readonly sessions: SessionRepository
    readonly statistics: StatisticsRepository
  }

export interface HttpServerOptions extends OperationRoutesOptions {
  readonly limits: RowLimits & {
    /** How long PostgreSQL may take for rows; 0 is no limit. */
    readonly queryTimeoutMs: number
  }
  readonly logger: Logger
  readonly guard: Guard
  /** Without them there are only the routes of operations. */
  readonly repositories: Repositories | undefined
  /** Without them there is no tail. */
  readonly tail: Omit<TailRoutesOptions, 'metrics'> | undefined
  /** Without it nothing is taken. */
  readonly otlp: Pick<OtlpRoutesOptions, 'receiver' | 'body'> | undefined
}

/** How long a client may take to send its request: as much as 64 MiB need at 4 Mbit/s. */
const REQUEST_TIMEOUT_MS = 120_000

/** A connection over which nothing passes for so long ends, with its query: its client reads no more. A query that runs may be silent for longer. */
function stalledAfterMs({ queryTimeoutMs }: { readonly queryTimeoutMs: number }): number {
  return queryTimeoutMs === 0 ? 0 : Math.max(REQUEST_TIMEOUT_MS, queryTimeoutMs + 10_000)
}

/** Builds the HTTP server with all its routes. It listens when {@link listen} is called. */
export function buildServer(options: HttpServerOptions): FastifyInstance {
  const { logger, guard } = options
  const onError = problemHandler(logger)
  const app = Fastify({
    ...(guard.tls !== undefined && { https: guard.tls }),
    ajv: { customOptions: AJV_OPTIONS },
    schemaController: { compilersFactory: { buildValidator: lazyValidators } },
    // Requests that run may end: see {@link closeServer}.
    forceCloseConnections: 'idle',
    connectionTimeout: stalledAfterMs(options.limits),
    return503OnClosing: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: MAX_WORD_LENGTH },
    // Of a path that cannot be decoded, or whose parameter is too long.
    frameworkErrors: onError,
    clientErrorHandler: answerClientError,
  }) as FastifyInstance
  app.setErrorHandler(onError)
  app.setNotFoundHandler((request, reply) => {
    sendProblem(reply, { status: 404, title: 'No such route', detail: `${request.method} ${request.url}` })
  })
  const closeSilent = watchSilentConnections(app.server)
  app.addHook('preClose', async () => closeSilent())
  limitConnections(app, guard.maxConnections, logger)
  if (guard.tls !== undefined) renewTls(app, { tls: guard.tls, read: () => guard.readTls(), logger })
  guardRoutes(app, guard)
  observeQueries(app, options.metrics)
  refuseOtherMethods(app)
  const document = describeRoutes(app)
  operationRoutes(app, options)
  openApiRoutes(app, document)
  if (options.repositories !== undefined) {
    const { repositories, limits } = options
    recordRoutes(app, { repositories, limits })
    metricRoutes(app, { ...repositories, limits })
    deadLetterRoutes(app, { ...repositories, limits })
    traceRoutes(app, { ...repositories, limits })
    evaluationRoutes(app, { ...repositories, limits })
    serviceRoutes(app, { ...repositories, limits })
    sessionRoutes(app, { ...repositories, limits })
    statisticsRoutes(app, { ...repositories, limits })
    pageRoutes(app)
  }
  if (options.tail !== undefined) tailRoutes(app, { ...options, ...options.tail })
  if (options.otlp !== undefined) otlpRoutes(app, { ...options, ...options.otlp })
  return app
}

const TELL_DROPPED_MS = 60_000

/** One past the limit is closed before anything of it is read; that is told once a minute. */
function limitConnections({ server }: FastifyInstance, most: number, logger: Logger): void {
  server.maxConnections = most
  let dropped = 0
  let toldAtMs = Number.NEGATIVE_INFINITY
  server.on('drop', () => {
    dropped += 1
    if (performance.now() - toldAtMs < TELL_DROPPED_MS) return
    toldAtMs = performance.now()
    logger.warn(
      { most, dropped },
      'connections were closed: there are as many as may be (HTTP_MAX_CONNECTIONS)',
    )
  })
}

/** Listens. @returns the URL. @throws ObservatoryError ERR_SERVER_UNREACHABLE when the address cannot be had. */
export async function listen(
  app: FastifyInstance,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    const inUse = codeOf(error) === 'EADDRINUSE'
    throw new ObservatoryError(
      'ERR_SERVER_UNREACHABLE',
      inUse
        ? `${host}:${port} is in use by another program: stop it, or set HTTP_PORT (0 is any free port)`
        : `Cannot listen on ${host}:${port}: ${String((error as Error).message)}. Set HTTP_HOST and HTTP_PORT`,
      { cause: error },
    )
  }
}

/** Takes no more requests, and waits for those that run, at most `graceMs`; then they are cut off. */
export async function closeServer(app: FastifyInstance, graceMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), Math.max(0, graceMs))
  try {
    await app.close()
  } finally {
    clearTimeout(timer)
  }
}
