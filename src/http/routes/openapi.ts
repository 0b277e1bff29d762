import type { FastifyInstance } from 'fastify'
import { answer, one } from '../openapi/answers.ts'

const DOCS = {
  operationId: 'getOpenApi',
  tag: 'operations',
  summary: 'This document',
  responses: { 200: answer('OpenAPI 3.1.', one('OpenApi')) },
} as const

/** What the service has, for machines. @param document of all routes, once they are there. */
export function openApiRoutes(app: FastifyInstance, document: () => Readonly<Record<string, unknown>>): void {
  let text: string | undefined
  app.get('/openapi.json', { config: { docs: DOCS } }, (_request, reply) => {
    text ??= `${JSON.stringify(document())}\n`
    return reply.type('application/json; charset=utf-8').send(text)
  })
}
