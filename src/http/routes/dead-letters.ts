import type { FastifyInstance } from 'fastify'
import { REJECTION_REASONS, type RejectionReason } from '../../models/rejection.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { DeadLetterRepository, FindLetters } from '../../repositories/dead-letter-repository.ts'
import { readTimeRange } from '../../repositories/read-filter.ts'
import { sendList } from '../send-list.ts'
import { COMMON_PARAMETERS, type CommonQuery, type RowLimits } from './query-parameters.ts'

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
  reason: { type: 'string', enum: REJECTION_REASONS, description: 'Why it was refused.' },
  signal: { type: 'string', enum: TELEMETRY_SIGNALS, description: 'What it is.' },
  purged: { type: 'boolean', description: 'Purged ones, too.' },
  payload: { type: 'boolean', description: 'With what was refused, as base64.' },
}

/** Refused records with their reasons, newest first. */
export function deadLetterRoutes(
  app: FastifyInstance,
  { deadLetters, limits }: DeadLetterRoutesOptions & { readonly limits: RowLimits },
): void {
  app.get<{ Querystring: LetterQuery }>(
    '/api/v1/dead-letters',
    { schema: { querystring: { type: 'object', additionalProperties: false, properties: PARAMETERS } } },
    (request, reply) => {
      const find = readFind(request.query)
      const read = (limit: number | null, signal: AbortSignal) =>
        deadLetters.streamLetters({ ...find, limit }, signal)
      // With payloads a row can be of megabytes: it is a chunk by itself.
      return sendList(request, reply, { limits, read, ...(find.withPayload && { rowsPerChunk: 1 }) })
    },
  )
}

function readFind(query: LetterQuery): Omit<FindLetters, 'limit'> {
  const { reason, signal: telemetrySignal, purged = false, payload = false } = query
  return {
    ...readTimeRange(query, Date.now()),
    ...(reason !== undefined && { reason }),
    ...(telemetrySignal !== undefined && { telemetrySignal }),
    withPurged: purged,
    withPayload: payload,
  }
}
