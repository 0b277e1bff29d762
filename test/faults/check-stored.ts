import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { encodeResp } from '../../src/models/encode-resp.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { type Expected, type MintedEntry, type Row, SERVICE } from './mint.ts'
import { type Oracle, signalOf } from './oracle.ts'

/** What is wrong with what is stored: counts, and the first few of each by name. */
export interface Findings {
  readonly missing: string[]
  readonly duplicated: string[]
  readonly altered: string[]
  readonly invented: string[]
}

/** What the tables hold of the oracle's entries. */
export interface Stored extends Findings {
  readonly rows: number
  readonly letters: number
  /** Numbers of entries whose rows and letters are all there. */
  readonly complete: ReadonlySet<number>
}

interface StoredRecord {
  readonly id: string
  readonly recordIndex: number
  readonly content: Row
}

const ENTRY_ID = `entry_ms || '-' || entry_seq as id, record_index as "recordIndex"`

/** One query a signal that gives each row as the oracle minted it. */
const ROWS: Readonly<Record<TelemetrySignal, string>> = {
  logs: `select ${ENTRY_ID}, jsonb_build_object('service', service, 'timeUnixNano', time_unix_nano::text,
    'severityNumber', severity_number, 'body', body, 'attributes', attributes) as content from log_records`,
  traces: `select ${ENTRY_ID}, jsonb_build_object('traceId', replace(trace_id::text, '-', ''),
    'spanId', encode(span_id, 'hex'), 'name', name, 'service', service,
    'startTimeUnixNano', start_time_unix_nano::text, 'attributes', attributes,
    'durationNano', duration_ns::text) as content from spans`,
  metrics: `select ${ENTRY_ID}, jsonb_build_object('name', name, 'service', service, 'timeUnixNano', time_unix_nano::text,
    'value', value, 'attributes', attributes) as content from point_view`,
}

const FETCH = 5000

/** Reads every row and every dead letter and holds them against what the oracle says they must be. */
export async function checkStored(client: pg.ClientBase, oracle: Oracle): Promise<Stored> {
  const check = new StoredCheck(oracle)
  for (const signal of ['logs', 'traces', 'metrics'] as const) {
    for await (const row of read<StoredRecord>(client, ROWS[signal])) check.row(signal, row)
  }
  const letters = `select ${ENTRY_ID}, stream, reason, payload_form as form, payload from dead_letters`
  for await (const letter of read<StoredLetter>(client, letters)) check.letter(letter)
  return check.finish()
}

async function* read<R extends object>(client: pg.ClientBase, text: string): AsyncGenerator<R> {
  await client.query('begin')
  await client.query(`declare stored no scroll cursor for ${text}`)
  for (;;) {
    const { rows } = await client.query(`fetch ${FETCH} from stored`)
    if (rows.length === 0) break
    yield* rows as R[]
  }
  await client.query('commit')
}

interface StoredLetter {
  readonly id: string
  readonly recordIndex: number
  readonly stream: string
  readonly reason: string
  readonly form: string
  readonly payload: Buffer
}

class StoredCheck {
  readonly #oracle: Oracle
  /** By number: the record indexes that were found, as `index` of rows and `~index` of letters. */
  readonly #found = new Map<number, Set<number>>()
  readonly #findings: Findings = { missing: [], duplicated: [], altered: [], invented: [] }
  #rows = 0
  #letters = 0

  constructor(oracle: Oracle) {
    this.#oracle = oracle
  }

  row(signal: TelemetrySignal, { id, recordIndex, content }: StoredRecord): void {
    this.#rows += 1
    const what = `${signal} ${id} #${recordIndex}`
    const number = this.#oracle.numberOf(signal, id) ?? this.#adopt(signal, id, content)
    const expected = number === undefined ? undefined : this.#expected(number).rows.get(recordIndex)
    if (number === undefined || expected === undefined) {
      this.#findings.invented.push(what)
      return
    }
    if (!isDeepStrictEqual(content, expected)) this.#findings.altered.push(what)
    this.#find(number, recordIndex, what)
  }

  letter({ id, recordIndex, stream, reason, form, payload }: StoredLetter): void {
    this.#letters += 1
    const signal = signalOf(stream)
    const what = `letter of ${signal} ${id} #${recordIndex} (${reason})`
    const number = this.#oracle.numberOf(signal, id)
    const expected = number === undefined ? undefined : this.#expected(number).letters.get(recordIndex)
    if (number === undefined || expected === undefined) {
      this.#findings.invented.push(what)
      return
    }
    const same =
      recordIndex === -1
        ? payload.equals(wholePayload(this.#oracle.entry(number).fields, form))
        : expected.payload === undefined ||
          isDeepStrictEqual(JSON.parse(payload.toString()), expected.payload)
    if (reason !== expected.reason || !same) this.#findings.altered.push(what)
    this.#find(number, ~recordIndex - 1, what)
  }

  finish(): Stored {
    const complete = new Set<number>()
    for (let number = 0; number < this.#oracle.size; number += 1) {
      const { rows, letters } = this.#expected(number)
      const found = this.#found.get(number)?.size ?? 0
      const isEmpty = rows.size + letters.size === 0
      if (isEmpty ? this.#oracle.isCommitted(number) : found === rows.size + letters.size)
        complete.add(number)
      else if (found > 0) this.#findings.missing.push(`part of entry ${this.#oracle.of(number)?.id}`)
    }
    return { ...this.#findings, rows: this.#rows, letters: this.#letters, complete }
  }

  /** An entry whose XADD was never answered may be there: its row says its number, and from then on its id is known. */
  #adopt(signal: TelemetrySignal, id: string, content: Row): number | undefined {
    const attributes = content.attributes as Row | undefined
    const number = Number(signal === 'metrics' ? content.value : attributes?.['oracle.number'])
    const known = this.#oracle.of(number)
    if (known?.fate !== 'unknown' || known.signal !== signal || content.service !== SERVICE) return undefined
    // Under a second id it would be there twice.
    if (known.id !== undefined) return undefined
    this.#oracle.setId(number, id)
    return number
  }

  #find(number: number, index: number, what: string): void {
    const found = this.#found.get(number) ?? new Set()
    if (found.has(index)) this.#findings.duplicated.push(what)
    found.add(index)
    this.#found.set(number, found)
  }

  #cached: { number: number; expected: Expected } | undefined

  /** The rows of an entry mostly come one after the other. */
  #expected(number: number): Expected {
    if (this.#cached?.number !== number)
      this.#cached = { number, expected: this.#oracle.entry(number).expected }
    return this.#cached.expected
  }
}

/** An entry that is refused as a whole is kept as it came: all of its fields, or the value of `json` alone. */
function wholePayload(fields: MintedEntry['fields'], form: string): Buffer {
  const bytes = fields.map((field) => (typeof field === 'string' ? Buffer.from(field) : field))
  return form === 'json' && bytes[1] !== undefined ? bytes[1] : encodeResp(bytes)
}
