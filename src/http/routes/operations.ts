import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../metrics.ts'
import type { Readiness } from '../readiness.ts'

export interface OperationRoutesOptions {
  readonly metrics: Metrics
  readonly readiness: () => Promise<Readiness>
}

/** For those who run the service: Prometheus, and the probes of an orchestrator. */
export function operationRoutes(app: FastifyInstance, { metrics, readiness }: OperationRoutesOptions): void {
  app.get('/metrics', async (_request, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const state = await readiness()
    return reply.code(state.ready ? 200 : 503).send(state)
  })
}
