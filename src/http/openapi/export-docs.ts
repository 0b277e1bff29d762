import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { type JsonSchema, ref } from './json-schema.ts'
import { RETRY_AFTER } from './operation-schemas.ts'
import type { Content, Response, RouteDocs } from './route-docs.ts'

const MESSAGES: Readonly<Record<TelemetrySignal, string>> = {
  traces: 'Trace',
  metrics: 'Metrics',
  logs: 'Logs',
}

/** Of the request as of its answers, either of which is in the encoding of the request. */
function contentOf(json: JsonSchema): Content {
  return { 'application/json': { schema: json }, 'application/x-protobuf': {} }
}

function refusal(description: string): Response {
  return { description, content: contentOf(ref('RpcStatus')) }
}

/** What the document says of a route that takes export requests. */
export function exportDocs(signal: TelemetrySignal): RouteDocs {
  const message = MESSAGES[signal]
  return {
    operationId: `export${message}`,
    tag: 'otlp',
    summary: `Take ${signal} as OpenTelemetry exports them`,
    description: 'It may be compressed by gzip or deflate. Answered once Redis has it.',
    requestBody: {
      required: true,
      content: contentOf({ type: 'object', description: `Export${message}ServiceRequest of OTLP.` }),
    },
    responses: {
      200: {
        description: 'Taken; with a partial success where records are refused.',
        content: contentOf(ref('ExportResponse')),
      },
      400: refusal('It cannot be read.'),
      413: refusal('It is too large.'),
      415: refusal('It is in another encoding, or another compression.'),
      500: refusal('It could not be taken; the service has logged the cause.'),
      503: {
        ...refusal('Redis is away or full, or ingest is far behind: to be sent again.'),
        headers: RETRY_AFTER,
      },
    },
  }
}
