import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { csvBody } from './encoders/csv-body.ts'
import { type CsvPath, csvNameOf, csvOfJson } from './encoders/csv-of-json.ts'
import { ndjsonBody } from './encoders/ndjson-body.ts'
import { contentTypeOf } from './routes/query-parameters.ts'
import { sendBody } from './send-body.ts'

export interface RowsAnswer {
  /** Of one column, each a JSON text. */
  readonly rows: Readable
  readonly format: 'ndjson' | 'csv'
  /** The columns of CSV. */
  readonly csv: readonly CsvPath[]
  /** Where rows may be large. */
  readonly rowsPerChunk?: number | undefined
}

/** Answers with all rows, as they are read. */
export function sendRows(
  request: FastifyRequest,
  reply: FastifyReply,
  { rows, format, csv, rowsPerChunk }: RowsAnswer,
): FastifyReply {
  reply.type(contentTypeOf(format))
  const body =
    format === 'csv'
      ? csvBody(csvOfJson(rows, csv), csv.map(csvNameOf), rowsPerChunk)
      : ndjsonBody(rows, rowsPerChunk)
  return sendBody(request, reply, body)
}
