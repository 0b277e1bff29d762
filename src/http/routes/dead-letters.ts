import type { FastifyInstance } from 'fastify'
import { REJECTION_REASONS, type RejectionReason } from '../../models/rejection.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'
import {
  type DeadLetterRepository,
  type FindLetters,
  LETTER_CSV,
} from '../../repositories/dead-letter-repository.ts'
import { readTimeRange } from '../../repositories/read-filter.ts'
import { answers, list } from '../openapi/answers.ts'
import type { RouteDocs } from '../openapi/route-docs.ts'
import { sendList } from '../send-list.ts'
import { COMMON_PARAMETERS, type CommonQuery, type RowLimits } from './query-parameters.ts'

export interface DeadLetterRoutesOptions {
  readonly deadLetters: DeadLetterRepository
}

interface LetterQuery extends CommonQuery {
  reason?: RejectionReason
  signal?: TelemetrySignal
  purged: boolean
  payload: boolean
}

const PARAMETERS = {
  ...COMMON_PARAMETERS,
  reason: { type: 'string', enum: REJECTION_REASONS, description: 'Why it was refused.' },
  signal: { type: 'string', enum: TELEMETRY_SIGNALS, description: 'What it is.' },
  purged: { type: 'boolean', default: false, description: 'Purged ones, too.' },
  payload: { type: 'boolean', default: false, description: 'With what was refused, as base64.' },
}

const DOCS = {
  operationId: 'listDeadLetters',
  tag: 'operations',
  summary: 'Refused records with their reasons, the newest first',
  responses: answers(list('DeadLetter')),
} satisfies RouteDocs

/** Refused records with their reasons, newest first. */
export function deadLetterRoutes(
  app: FastifyInstance,
  { deadLetters, limits }: DeadLetterRoutesOptions & { readonly limits: RowLimits },
): void {
  app.get<{ Querystring: LetterQuery }>(
    '/api/v1/dead-letters',
    {
      schema: { querystring: { type: 'object', additionalProperties: false, properties: PARAMETERS } },
      config: { docs: DOCS },
    },
    (request, reply) => {
      const find = readFind(request.query)
      const csv = request.query.payload ? [...LETTER_CSV, 'payload'] : LETTER_CSV
      const read = (limit: number | null, signal: AbortSignal) =>
        deadLetters.streamLetters({ ...find, limit }, signal)
      // With payloads a row can be of megabytes: it is a chunk by itself.
      return sendList(request, reply, { limits, csv, read, ...(find.withPayload && { rowsPerChunk: 1 }) })
    },
  )
}

function readFind(query: LetterQuery): Omit<FindLetters, 'limit'> {
  const { reason, signal: telemetrySignal, purged, payload } = query
  return {
    ...readTimeRange(query, Date.now()),
    ...(reason !== undefined && { reason }),
    ...(telemetrySignal !== undefined && { telemetrySignal }),
    withPurged: purged,
    withPayload: payload,
  }
}
