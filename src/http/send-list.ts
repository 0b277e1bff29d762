import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { KnownRows } from '../repositories/known-rows.ts'
import { formatOf } from './accepted-format.ts'
import { clientGone } from './client-gone.ts'
import type { CsvPath } from './encoders/csv-of-json.ts'
import { jsonList } from './encoders/json-list.ts'
import { isKnownToClient } from './is-known-to-client.ts'
import {
  type CommonQuery,
  contentTypeOf,
  LIST_FORMATS,
  type RowLimits,
  readExportLimit,
  readPageLimit,
} from './routes/query-parameters.ts'
import { sendBody } from './send-body.ts'
import { sendRows } from './send-rows.ts'

export interface ListAnswer {
  readonly limits: RowLimits
  /** Reads rows of one column, each a JSON text, as many as `limit` says; null is all. Undefined where there is nothing to list. */
  readonly read: (limit: number | null, signal: AbortSignal) => Promise<Readable | undefined>
  /** The columns of CSV. */
  readonly csv: readonly CsvPath[]
  /** Of NDJSON and CSV, where rows may be large. */
  readonly rowsPerChunk?: number
}

/**
 * Answers with a list that has no pages, as JSON, NDJSON or CSV. JSON that could not have all says that it is cut.
 *
 * @returns undefined where there was nothing to list: then nothing is answered.
 * @throws BadParameter as the limits are read.
 */
export async function sendList(
  request: FastifyRequest<{ Querystring: CommonQuery }>,
  reply: FastifyReply,
  { limits, read, csv, rowsPerChunk }: ListAnswer,
): Promise<FastifyReply | undefined> {
  const { query } = request
  const format = formatOf(request, LIST_FORMATS)
  if (format !== 'json') {
    const rows = await read(readExportLimit(query, limits), clientGone(reply))
    if (rows === undefined) return undefined
    if (isWhatTheyHave(request, reply, { rows, format })) return notModified(reply, rows)
    return sendRows(request, reply, { rows, format, csv, rowsPerChunk })
  }
  const limit = readPageLimit(query, limits, limits.pageMaxRows)
  const rows = await read(limit + 1, clientGone(reply))
  if (rows === undefined) return undefined
  if (isWhatTheyHave(request, reply, { rows, format })) return notModified(reply, rows)
  reply.type(contentTypeOf(format))
  return sendBody(request, reply, jsonList(rows, limit))
}

/** Of rows that are known, tells what they are called, and whether that is what the client has (RFC 9110, 13.1.2). Weak: it is the same when it is compressed. */
function isWhatTheyHave(
  request: FastifyRequest,
  reply: FastifyReply,
  { rows, format }: { readonly rows: Readable; readonly format: string },
): boolean {
  if (!(rows instanceof KnownRows)) return false
  const etag = `W/"${rows.etag}-${format}"`
  reply.headers({ etag, 'cache-control': 'no-cache', vary: 'accept, accept-encoding' })
  return isKnownToClient(request, etag)
}

function notModified(reply: FastifyReply, rows: Readable): FastifyReply {
  rows.destroy()
  return reply.code(304).send()
}
