import type pg from 'pg'
import type { DeadLetter } from '../models/dead-letter.ts'
import type { EntryId } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { DeadLetterPayload } from '../settings.ts'

export interface AddressedLetter {
  readonly id: EntryId
  readonly letter: DeadLetter
}

export interface LetterOrigin {
  readonly stream: string
  readonly signal: TelemetrySignal
  readonly payload: DeadLetterPayload
}

/** A detail is for a person: what is longer repeats the payload. */
const DETAIL_MAX_LENGTH = 1000

/** Inserts refused records, in the transaction of the batch they were refused from. */
export async function insertDeadLetters(
  client: pg.ClientBase,
  origin: LetterOrigin,
  letters: readonly AddressedLetter[],
): Promise<void> {
  if (letters.length === 0) return
  await client.query(
    `insert into dead_letters (stream, signal, entry_ms, entry_seq, record_index, reason, detail, sqlstate,
                               payload_form, payload_bytes, payload)
     select $1, $2, * from unnest($3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::text[], $8::text[],
                                  $9::text[], $10::bigint[], $11::bytea[])`,
    [
      origin.stream,
      origin.signal,
      letters.map(({ id }) => BigInt.asIntN(64, id.ms)),
      letters.map(({ id }) => BigInt.asIntN(64, id.seq)),
      letters.map(({ letter }) => letter.recordIndex),
      letters.map(({ letter }) => letter.reason),
      letters.map(({ letter }) => storable(letter.detail).slice(0, DETAIL_MAX_LENGTH)),
      letters.map(({ letter }) => letter.sqlState),
      letters.map(({ letter }) => letter.payloadForm),
      letters.map(({ letter }) => letter.payload.length),
      letters.map(({ letter }) => keptPayload(letter.payload, origin.payload)),
    ],
  )
}

/** PostgreSQL's text holds neither NUL nor a lone surrogate. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}')
}

function keptPayload(payload: Uint8Array, policy: DeadLetterPayload): Buffer | null {
  return policy === 'drop' ? null : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}
