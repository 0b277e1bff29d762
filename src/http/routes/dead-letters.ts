import type { FastifyInstance } from 'fastify'
import { REJECTION_REASONS, type RejectionReason } from '../../models/rejection.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { DeadLetterRepository, FindLetters } from '../../repositories/dead-letter-repository.ts'
import { readTimeRange } from '../../repositories/read-filter.ts'
import { clientGone } from '../client-gone.ts'
import { jsonStream, type RecordFormat } from '../encoders/json-stream.ts'
import {
  COMMON_PARAMETERS,
  type CommonQuery,
  contentTypeOf,
  readFormat,
  readLimit,
} from './query-parameters.ts'

export interface DeadLetterRoutesOptions {
  readonly deadLetters: DeadLetterRepository
}

interface LetterQuery extends CommonQuery {
  reason?: RejectionReason
  signal?: TelemetrySignal
  purged?: boolean
  payload?: boolean
}

const PARAMETERS = {
  ...COMMON_PARAMETERS,
  reason: { type: 'string', enum: REJECTION_REASONS },
  signal: { type: 'string', enum: TELEMETRY_SIGNALS },
  purged: { type: 'boolean' },
  payload: { type: 'boolean' },
}

/** Refused records with their reasons, newest first. */
export function deadLetterRoutes(app: FastifyInstance, { deadLetters }: DeadLetterRoutesOptions): void {
  app.get<{ Querystring: LetterQuery }>(
    '/api/v1/dead-letters',
    { schema: { querystring: { type: 'object', additionalProperties: false, properties: PARAMETERS } } },
    async (request, reply) => {
      const { query } = request
      const format = readFormat(query, request.headers.accept)
      const find = readFind(query, format)
      const rows = await deadLetters.streamLetters(find, clientGone(reply))
      // With payloads a row can be of megabytes: it is a chunk by itself.
      const rowsPerChunk = find.withPayload ? 1 : undefined
      return reply.type(contentTypeOf(format)).send(jsonStream(rows, format, rowsPerChunk))
    },
  )
}

function readFind(query: LetterQuery, format: RecordFormat): FindLetters {
  const { reason, signal: telemetrySignal, purged = false, payload = false } = query
  return {
    ...readTimeRange(query, Date.now()),
    ...(reason !== undefined && { reason }),
    ...(telemetrySignal !== undefined && { telemetrySignal }),
    withPurged: purged,
    withPayload: payload,
    limit: readLimit(query, format),
  }
}
