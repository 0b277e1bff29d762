import type { FastifyInstance, RouteOptions } from 'fastify'
import { ownVersion } from '../../own-version.ts'
import { COMPONENT_SCHEMAS } from './component-schemas.ts'
import { PROBLEM_RESPONSES } from './operation-schemas.ts'
import { parametersOf } from './parameters-of.ts'
import { type RouteDocs, TAGS } from './route-docs.ts'

const DESCRIPTION = `Telemetry of applications that use language models: traces, metrics and logs, stored exactly once.

Times in answers are unix nanoseconds as text. \`from\` and \`to\` are RFC 3339, a date, unix time, or relative like \`-15m\`. A parameter that a route does not have is refused.

Where the service has tokens (ACCESS_TOKENS), it answers 401 without one and 403 with one of another role; 421 to another Host where it is for its own machine alone, 429 to a client that asks too often. All of them are problems.`

/**
 * Notes every route that is added from now on, by what checks it and what its `docs` say.
 *
 * @returns what makes the OpenAPI document of the routes so far.
 */
export function describeRoutes(app: FastifyInstance): () => Readonly<Record<string, unknown>> {
  const paths = new Map<string, Record<string, unknown>>()
  app.addHook('onRoute', ({ url, method, schema, config }: RouteOptions) => {
    // Those for HEAD are made of those for GET.
    if (config?.docs === undefined || typeof method !== 'string' || method === 'HEAD') return
    const path = url.replaceAll(/:(\w+)/g, '{$1}')
    const operation = operationOf(config.docs, schema)
    paths.set(path, { ...paths.get(path), [method.toLowerCase()]: operation })
  })
  return () => ({
    openapi: '3.1.1',
    info: { title: 'LLM Observatory', version: ownVersion(), description: DESCRIPTION },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries([...paths].sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      schemas: COMPONENT_SCHEMAS,
      responses: PROBLEM_RESPONSES,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    // Or none, where the service has no tokens.
    security: [{ token: [] }, {}],
  })
}

function operationOf(
  { tag, operationId, summary, ...docs }: RouteDocs,
  schema: RouteOptions['schema'],
): Readonly<Record<string, unknown>> {
  const parameters = [...parametersOf('path', schema?.params), ...parametersOf('query', schema?.querystring)]
  return { operationId, tags: [tag], summary, ...(parameters.length > 0 && { parameters }), ...docs }
}
