import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type LetterFilter, letterConditions } from './letter-filter.ts'
import { streamRows } from './stream-rows.ts'

/** A dead letter as the API, the CLI and scripts see it. Times are RFC 3339; what does not apply is left out. */
export interface LetterJson {
  readonly id: string
  readonly deadLetteredAt: string
  readonly signal: string
  readonly stream: string
  readonly entryId: string
  /** -1 when the entry was refused as a whole. */
  readonly recordIndex: number
  readonly reason: string
  readonly detail: string
  readonly sqlState?: string
  readonly payloadForm: string
  readonly payloadBytes: number
  /** Whether the payload is still there: not left out by DEAD_LETTER_PAYLOAD=drop, not purged. */
  readonly payloadKept: boolean
  readonly replayedAt?: string
  readonly replayedRows?: number
  readonly replayOf?: string
  readonly purgedAt?: string
}

const utc = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
/** Redis ids are unsigned: those past 2^63 are stored as their two's complement. */
const unsigned = (column: string) =>
  `case when ${column} < 0 then ${column}::numeric + 18446744073709551616 else ${column} end`

/** A larger payload is not made part of JSON: it would take five times its size in memory. */
const JSON_MAX_PAYLOAD_BYTES = 32 * 1024 * 1024

function letterJson(withPayload: boolean): string {
  const payload = `, 'payload', case when payload_bytes <= ${JSON_MAX_PAYLOAD_BYTES} then translate(encode(payload, 'base64'), E'\\n', '') end`
  return `json_strip_nulls(json_build_object(
    'id', letter_id, 'deadLetteredAt', ${utc('dead_lettered_at')}, 'signal', signal, 'stream', stream,
    'entryId', (${unsigned('entry_ms')}) || '-' || (${unsigned('entry_seq')}), 'recordIndex', record_index,
    'reason', reason, 'detail', detail, 'sqlState', sqlstate, 'payloadForm', payload_form, 'payloadBytes', payload_bytes,
    'payloadKept', payload is not null,
    'replayedAt', ${utc('replayed_at')}, 'replayedRows', replayed_rows, 'replayOf', replay_of,
    'purgedAt', ${utc('purged_at')}${withPayload ? payload : ''}))::text`
}

/** The columns of CSV of letters, but for the payload. */
export const LETTER_CSV = [
  ...['id', 'deadLetteredAt', 'signal', 'stream', 'entryId', 'recordIndex', 'reason', 'detail', 'sqlState'],
  ...['payloadForm', 'payloadBytes', 'payloadKept', 'replayedAt', 'replayedRows', 'replayOf', 'purgedAt'],
]

export interface FindLetters extends LetterFilter {
  /** At most so many; null is all. */
  readonly limit: number | null
  /** The payload too, as base64. */
  readonly withPayload?: boolean
}

/** Bytes of a payload that are fetched at once. */
const PAYLOAD_CHUNK_BYTES = 8 * 1024 * 1024
/** Letters that are purged in one transaction. */
const PURGED_AT_ONCE = 5000

/** What became of a letter that was asked for by its id. */
export interface LetterState {
  readonly letterId: string
  readonly state: 'waiting' | 'replayed' | 'purged'
}

/** Reads dead letters, and purges them. */
export class DeadLetterRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Dead letters that match, newest first: a stream of rows with one column, a {@link LetterJson} as text. */
  streamLetters(find: FindLetters, signal: AbortSignal): Promise<Readable> {
    const { conditions, values } = letterConditions(find)
    const text = `select ${letterJson(find.withPayload === true)} from dead_letters where ${conditions}
       order by dead_lettered_at desc, entry_ms desc, entry_seq desc, record_index desc limit $${values.length + 1}`
    // Payloads can be of megabytes: a row is held, not a thousand.
    const batchSize = find.withPayload ? { batchSize: 1 } : {}
    return streamRows(this.#pool, { text, values: [...values, find.limit], ...batchSize }, signal)
  }

  /** Letters that match and can be replayed, oldest first: rows of id, signal and bytes of the payload, as they are when the stream begins. */
  streamReplayable(filter: LetterFilter, signal: AbortSignal): Promise<Readable> {
    const { conditions, values } = letterConditions({ ...filter, withPurged: false })
    const text = `select letter_id, signal, payload_bytes from dead_letters where ${conditions} and replayed_at is null
       order by dead_lettered_at, entry_ms, entry_seq, record_index`
    return streamRows(this.#pool, { text, values }, signal)
  }

  /** The letters of these ids that there are. */
  async states(ids: readonly string[]): Promise<LetterState[]> {
    const { rows } = await this.#pool.query<LetterState>(
      `select letter_id as "letterId",
              case when purged_at is not null then 'purged' when replayed_at is not null then 'replayed' else 'waiting' end as state
         from dead_letters where letter_id = any($1::uuid[])`,
      [ids],
    )
    return rows
  }

  /** One letter; undefined when there is none of this id. */
  async find(id: string): Promise<LetterJson | undefined> {
    const { rows } = await this.#pool.query<{ json: string }>(
      `select ${letterJson(false)} as json from dead_letters where letter_id = $1`,
      [id],
    )
    return rows[0] && (JSON.parse(rows[0].json) as LetterJson)
  }

  /** The payload of a letter, whatever its size; nothing when it has none. Stops after `maxBytes`. */
  async *readPayload(id: string, maxBytes = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
    for (let offset = 0; offset < maxBytes; offset += PAYLOAD_CHUNK_BYTES) {
      const { rows } = await this.#pool.query<{ chunk: Buffer | null }>(
        'select substring(payload from $2::int for $3::int) as chunk from dead_letters where letter_id = $1',
        [id, offset + 1, Math.min(PAYLOAD_CHUNK_BYTES, maxBytes - offset)],
      )
      const chunk = rows[0]?.chunk
      if (chunk == null || chunk.length === 0) return
      yield chunk
      if (chunk.length < PAYLOAD_CHUNK_BYTES) return
    }
  }

  /** How many letters that match still have something to purge. */
  async countPurgeable(filter: LetterFilter): Promise<number> {
    const { conditions, values } = letterConditions({ ...filter, withPurged: false })
    const { rows } = await this.#pool.query<{ count: string }>(
      `select count(*) from dead_letters where ${conditions}`,
      values,
    )
    return Number(rows[0]?.count)
  }

  /**
   * Erases detail and payload of the letters that match, some thousands in a transaction; the letters stay, because the ledger counts them.
   * Yields how many were purged by each transaction, after its COMMIT.
   */
  async *purge(filter: LetterFilter): AsyncGenerator<number> {
    const { conditions, values } = letterConditions({ ...filter, withPurged: false })
    for (;;) {
      const { rowCount } = await this.#pool.query(
        `with chosen as (select letter_id from dead_letters where ${conditions} limit ${PURGED_AT_ONCE} for update)
         update dead_letters l set purged_at = now(), detail = '', payload = null
           from chosen where l.letter_id = chosen.letter_id`,
        values,
      )
      if (rowCount === null || rowCount === 0) return
      yield rowCount
    }
  }
}
