import type { FastifyInstance } from 'fastify'
import { OPEN_METRICS_TYPE, openMetricsText } from '../../metrics/open-metrics-text.ts'
import type { Metrics } from '../../metrics.ts'
import type { AccessTokens } from '../access/access-tokens.ts'
import { answer, one, problem } from '../openapi/answers.ts'
import { text } from '../openapi/json-schema.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import type { Readiness } from '../readiness.ts'

export interface OperationRoutesOptions {
  readonly metrics: Metrics
  readonly readiness: () => Promise<Readiness>
  readonly guard: { readonly tokens: AccessTokens }
}

/** Instead of what is in the way, which names servers and accounts, for who has no token where there are some. */
const UNTOLD = 'whoever sends a token is told'

const DOCS = {
  metrics: {
    operationId: 'getServiceMetrics',
    tag: 'operations',
    summary: 'What the service measures of itself, for Prometheus',
    responses: {
      200: answer('Text format of Prometheus, or OpenMetrics.', {
        'text/plain': { schema: text() },
        'application/openmetrics-text': { schema: text() },
      }),
      500: problem('Failed'),
    },
  },
  health: {
    operationId: 'getHealth',
    tag: 'operations',
    summary: 'Whether the process is alive',
    responses: { 200: answer('It is.', one('Health')) },
  },
  readiness: {
    operationId: 'getReadiness',
    tag: 'operations',
    summary: 'Whether the service does its work',
    responses: {
      200: answer('It does.', one('Readiness')),
      503: answer('It does not: the problems say why.', one('Readiness')),
    },
  },
} satisfies Readonly<Record<string, RouteDocs>>

/** For those who run the service: Prometheus, and the probes of an orchestrator. */
export function operationRoutes(
  app: FastifyInstance,
  { metrics, readiness, guard: { tokens } }: OperationRoutesOptions,
): void {
  app.get('/metrics', { config: { docs: DOCS.metrics } }, async ({ headers }, reply) => {
    reply.header('vary', 'accept')
    if (headers.accept?.includes('application/openmetrics-text'))
      return reply.type(OPEN_METRICS_TYPE).send(await openMetricsText(metrics))
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  app.get('/healthz', { config: { docs: DOCS.health, neededRole: 'anyone' } }, async () => ({ status: 'ok' }))
  app.get(
    '/readyz',
    { config: { docs: DOCS.readiness, neededRole: 'anyone' } },
    async ({ headers }, reply) => {
      const { ready, problems } = await readiness()
      const isTold = ready || tokens.areNone || tokens.callerOf(headers.authorization) !== undefined
      return reply.code(ready ? 200 : 503).send({ ready, problems: isTold ? problems : [UNTOLD] })
    },
  )
}
