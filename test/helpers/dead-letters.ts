import { randomUUID } from 'node:crypto'
import type { PayloadForm } from '../../src/models/dead-letter.ts'
import type { RejectionReason } from '../../src/models/rejection.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { withPostgres } from './postgres.ts'

export interface LetterShape {
  readonly signal?: TelemetrySignal
  readonly form?: PayloadForm
  /** Text is UTF-8, an object JSON, null a payload that was not kept. */
  readonly payload?: Buffer | string | object | null
  readonly index?: number
  readonly reason?: RejectionReason
  readonly detail?: string
  readonly ms?: number | bigint
  readonly seq?: number | bigint
  readonly at?: Date
}

/** Inserts a dead letter as ingest would. @returns its id. */
export async function insertLetter(databaseUrl: string, shape: LetterShape): Promise<string> {
  const { signal = 'logs', form = 'record', index = 0, reason = 'wrong_type', detail = 'was refused' } = shape
  const { payload = { message: 'hello', service: 'api' }, ms = Date.now(), seq = 0, at = new Date() } = shape
  const id = randomUUID()
  const bytes = payloadBytes(payload)
  await withPostgres(databaseUrl, (client) =>
    client.query(
      `insert into dead_letters (letter_id, dead_lettered_at, entry_ms, entry_seq, record_index, payload_bytes, stream, signal,
                                 reason, detail, payload_form, payload)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        ...[id, at, BigInt.asIntN(64, BigInt(ms)), BigInt.asIntN(64, BigInt(seq)), index, bytes?.length ?? 7],
        ...[`telemetry:${signal}`, signal, reason, detail, form, bytes],
      ],
    ),
  )
  return id
}

/** The fields of an entry as a RESP array of bulk strings. */
export function resp(...fields: readonly (string | Buffer)[]): Buffer {
  const bulk = fields.map((field) => {
    const bytes = Buffer.from(field)
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')])
  })
  return Buffer.concat([Buffer.from(`*${fields.length}\r\n`), ...bulk])
}

function payloadBytes(payload: Buffer | string | object | null): Buffer | null {
  if (payload === null || Buffer.isBuffer(payload)) return payload
  return Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
}
