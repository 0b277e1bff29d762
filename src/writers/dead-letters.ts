import type pg from 'pg'
import { type DeadLetter, NOT_KEPT } from '../models/dead-letter.ts'
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

/**
 * As an element of an array a payload is sent as hexadecimal text, and V8 has no longer string than 2^29 characters: from here on each is sent by
 * itself, as bytes.
 */
const LARGE_PAYLOAD_BYTES = 1024 * 1024
/** PostgreSQL holds a value of a gigabyte, with what is around it. What is larger is not kept; Redis' default limits hardly let it be. */
const MAX_PAYLOAD_BYTES = 512 * 1024 * 1024

/** Inserts refused records, in the transaction of the batch they were refused from. */
export async function insertDeadLetters(
  client: pg.ClientBase,
  origin: LetterOrigin,
  letters: readonly AddressedLetter[],
): Promise<void> {
  const isLarge = ({ letter }: AddressedLetter) =>
    origin.payload !== 'drop' && letter.payload.length >= LARGE_PAYLOAD_BYTES
  const small = letters.filter((letter) => !isLarge(letter))
  const payloads = small.map(({ letter }) => keptPayload(letter.payload, origin.payload))
  await insertLetters(client, origin, { letters: small, payloads, payloadArray: '$11::bytea[]' })
  for (const large of letters.filter(isLarge)) {
    const payloads = keptPayload(large.letter.payload, origin.payload)
    await insertLetters(client, origin, { letters: [large], payloads, payloadArray: 'array[$11::bytea]' })
  }
}

async function insertLetters(
  client: pg.ClientBase,
  { stream, signal }: LetterOrigin,
  {
    letters,
    payloads,
    payloadArray,
  }: {
    readonly letters: readonly AddressedLetter[]
    readonly payloads: Buffer | null | readonly (Buffer | null)[]
    readonly payloadArray: string
  },
): Promise<void> {
  if (letters.length === 0) return
  await client.query(
    `insert into dead_letters (stream, signal, entry_ms, entry_seq, record_index, reason, detail, sqlstate,
                               payload_form, payload_bytes, payload)
     select $1, $2, * from unnest($3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::text[], $8::text[],
                                  $9::text[], $10::bigint[], ${payloadArray})`,
    [
      stream,
      signal,
      letters.map(({ id }) => BigInt.asIntN(64, id.ms)),
      letters.map(({ id }) => BigInt.asIntN(64, id.seq)),
      letters.map(({ letter }) => letter.recordIndex),
      letters.map(({ letter }) => letter.reason),
      letters.map(({ letter }) => storable(letter.detail).slice(0, DETAIL_MAX_LENGTH)),
      letters.map(({ letter }) => letter.sqlState),
      letters.map(({ letter }) => letter.payloadForm),
      letters.map(({ letter }) => letter.payload.length),
      payloads,
    ],
  )
}

/** A record that the replay of its whole entry refused. */
export interface ReplayedLetter {
  /** The id of the letter that was replayed. */
  readonly replayOf: string
  readonly letter: DeadLetter
}

/**
 * Inserts the records that a replay refused, in the transaction that marks the letter of their entry as replayed. They bear its entry and its time,
 * for they were refused when it was, and always their payload: it is in that letter, too.
 */
export async function insertReplayedLetters(
  client: pg.ClientBase,
  letters: readonly ReplayedLetter[],
): Promise<void> {
  if (letters.length === 0) return
  await client.query(
    `insert into dead_letters (stream, signal, entry_ms, entry_seq, dead_lettered_at, replay_of, record_index, reason, detail, sqlstate,
                               payload_form, payload_bytes, payload)
     select l.stream, l.signal, l.entry_ms, l.entry_seq, l.dead_lettered_at, l.letter_id, r.record_index, r.reason, r.detail, r.sqlstate,
            r.payload_form, length(r.payload), r.payload
       from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
              as r (replay_of, record_index, reason, detail, sqlstate, payload_form, payload)
       join dead_letters l on l.letter_id = r.replay_of`,
    [
      letters.map(({ replayOf }) => replayOf),
      letters.map(({ letter }) => letter.recordIndex),
      letters.map(({ letter }) => letter.reason),
      letters.map(({ letter }) => storable(letter.detail).slice(0, DETAIL_MAX_LENGTH)),
      letters.map(({ letter }) => letter.sqlState),
      letters.map(({ letter }) => letter.payloadForm),
      letters.map(({ letter }) => keptPayload(letter.payload, 'keep')),
    ],
  )
}

/** PostgreSQL's text holds neither NUL nor a lone surrogate. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}')
}

function keptPayload(payload: Uint8Array, policy: DeadLetterPayload): Buffer | null {
  if (policy === 'drop' || payload === NOT_KEPT || payload.length > MAX_PAYLOAD_BYTES) return null
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}
