import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../../logger.ts'
import type { Metrics } from '../../metrics.ts'
import type { OtlpEncoding } from '../../models/otlp/read-request.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'
import { exportDocs } from '../openapi/export-docs.ts'
import { exportResponse, rpcStatus } from '../otlp/otlp-answer.ts'
import type { OtlpReceiver } from '../otlp/otlp-receiver.ts'
import { OtlpRefusal } from '../otlp/otlp-refusal.ts'
import { type BodyOptions, readBody } from '../otlp/read-body.ts'

export interface OtlpRoutesOptions {
  readonly receiver: OtlpReceiver
  readonly body: BodyOptions
  readonly metrics: Pick<Metrics, 'otlpRequests' | 'otlpRejected'>
  readonly logger: Logger
}

const CONTENT_TYPES: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}

/** OTLP/HTTP: `POST /v1/traces`, `/v1/metrics`, `/v1/logs`, by the rules of OTLP 1.11. */
export function otlpRoutes(app: FastifyInstance, options: OtlpRoutesOptions): void {
  app.register(async (routes) => {
    // Bodies are read by the route, so that their bounds hold while they come.
    routes.removeAllContentTypeParsers()
    routes.addContentTypeParser('*', (_request, _payload, done) => done(null))
    // Of a header that Fastify does not take.
    routes.setErrorHandler<FastifyError>((error, _request, reply) =>
      sendStatus(reply, 'json', error.statusCode ?? 500, error.message),
    )
    for (const signal of TELEMETRY_SIGNALS) {
      routes.post(
        `/v1/${signal}`,
        { config: { docs: exportDocs(signal), neededRole: 'ingest' } },
        (request, reply) => answer(request, reply, signal, options),
      )
      routes.route({
        method: ['GET', 'PUT', 'PATCH', 'DELETE'],
        url: `/v1/${signal}`,
        config: { neededRole: 'ingest' },
        handler: (_request, reply) => {
          reply.header('allow', 'POST')
          return sendStatus(reply, 'json', 405, `/v1/${signal} takes export requests of OTLP, by POST`)
        },
      })
    }
  })
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  signal: TelemetrySignal,
  { receiver, body: bodyOptions, metrics, logger }: OtlpRoutesOptions,
): Promise<FastifyReply> {
  const encoding = encodingOf(request.headers['content-type'])
  try {
    if (encoding === undefined) throw wrongType(request.headers['content-type'])
    const body = await readBody(request.raw, bodyOptions)
    try {
      const outcome = await receiver.receive({ signal, encoding, body })
      metrics.otlpRequests.inc({ signal, status: '200' })
      metrics.otlpRejected.inc({ signal }, outcome.rejected)
      return reply.type(CONTENT_TYPES[encoding]).send(exportResponse(encoding, signal, outcome))
    } finally {
      body.release()
    }
  } catch (error) {
    const refusal = error instanceof OtlpRefusal ? error : undefined
    const status = refusal?.status ?? 500
    metrics.otlpRequests.inc({ signal, status: String(status) })
    if (refusal === undefined) logger.error({ url: request.url, err: error }, 'an export request failed')
    if (refusal?.retryAfter !== undefined) reply.header('retry-after', refusal.retryAfter)
    const message = refusal?.message ?? 'the request could not be taken; the service has logged the cause'
    return sendStatus(reply, encoding ?? 'json', status, message)
  }
}

function sendStatus(
  reply: FastifyReply,
  encoding: OtlpEncoding,
  status: number,
  message: string,
): FastifyReply {
  return reply
    .code(status)
    .type(CONTENT_TYPES[encoding])
    .send(rpcStatus(encoding, status, message))
}

function encodingOf(contentType: string | undefined): OtlpEncoding | undefined {
  const [type] = (contentType ?? '').split(';')
  switch (type?.trim().toLowerCase()) {
    case CONTENT_TYPES.protobuf:
      return 'protobuf'
    case CONTENT_TYPES.json:
      return 'json'
    default:
      return undefined
  }
}

function wrongType(contentType: string | undefined): OtlpRefusal {
  const given = contentType === undefined ? 'is missing' : `${contentType.slice(0, 100)} is not read here`
  return new OtlpRefusal(415, `content-type ${given}: use application/x-protobuf or application/json`)
}
