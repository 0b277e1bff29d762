import type { JsonSchema } from './json-schema.ts'

/** What routes are grouped by. */
export const TAGS = {
  traces: 'Spans, and traces of them.',
  llm: 'Calls of language models: usage, sessions of users, evaluations.',
  logs: 'Log records.',
  metrics: 'Metrics and their data points.',
  services: 'What there is, and what calls what.',
  otlp: 'Receiver of OpenTelemetry (OTLP/HTTP).',
  operations: 'For those who run the service.',
} as const

export type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>

export interface Response {
  readonly description: string
  readonly content?: Content
  readonly headers?: Readonly<Record<string, unknown>>
}

/** What the OpenAPI document says of a route beside its parameters, which are those that are checked. */
export interface RouteDocs {
  /** Its name for generated clients. */
  readonly operationId: string
  readonly tag: keyof typeof TAGS
  readonly summary: string
  readonly description?: string
  readonly requestBody?: { readonly required: true; readonly content: Content }
  /** By status; a reference is to one of the responses that several routes have. */
  readonly responses: Readonly<Record<string, Response | { readonly $ref: string }>>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A route without them is not in the document. */
    readonly docs?: RouteDocs
  }
}
