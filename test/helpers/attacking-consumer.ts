import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import { claimIdle } from '../../src/ingest/claim-idle.ts'
import { ackEntries, ensureGroup } from '../../src/ingest/consumer-group.ts'
import { decodeEntries } from '../../src/ingest/decode-entries.ts'
import { fieldsCrc } from '../../src/ingest/decode-entry.ts'
import { InFlight } from '../../src/ingest/in-flight.ts'
import { bytesOfFields, type EntryChunk } from '../../src/ingest/stream-entries.ts'
import { VanishedEntries } from '../../src/ingest/vanished-entries.ts'
import type { LogRecord } from '../../src/models/log-record.ts'
import { type EntryId, formatEntryId, parseEntryId } from '../../src/models/stream-entry.ts'
import type { Partitions } from '../../src/retention/partitions.ts'
import { FrozenSessions } from '../../src/writers/frozen-sessions.ts'
import type { Interner } from '../../src/writers/interner.ts'
import { LOG_RECORD_TABLE } from '../../src/writers/log-record-table.ts'
import { TelemetryWriter } from '../../src/writers/telemetry-writer.ts'
import { type CommitFate, type CommitGate, createCommitGate } from './commit-gate.ts'

export interface ConsumerOptions {
  readonly redis: Redis
  readonly pool: pg.Pool
  readonly partitions: Partitions
  readonly interner: Interner
  readonly stream: string
  readonly name: string
  /** Told of each entry that Redis delivers, as the ledger would list it. */
  readonly onDelivered: (key: string) => void
  /** Told of the entries, as the ledger lists them, whose ids were acknowledged. */
  readonly onAcknowledged: (keys: readonly string[]) => void
  /** Told of pending entries that are gone from the stream and not listed. */
  readonly onLost: (ids: readonly string[]) => void
}

export interface WriteStep {
  readonly maxRows: number
  readonly concurrency: number
  readonly fate: CommitFate | 'hold'
  readonly acks: boolean
}

interface Writing {
  readonly gate: CommitGate
  readonly writer: TelemetryWriter<LogRecord>
  readonly ids: readonly EntryId[]
  readonly done: Promise<void>
  isDone: boolean
}

/** A frozen transaction stays open for longer. */
const OPEN_BATCHES_MAX_MS = 20
/** Long enough for most transactions; one that waits for another goes on beside what comes next. */
const PATIENCE_MS = 25

/** The steps of ingest, one by one, in whatever order the test wants them. It can crash and freeze between and within them. */
export class AttackingConsumer {
  readonly #options: ConsumerOptions
  #held: EntryChunk[] = []
  #writing: Writing | undefined
  duplicates = 0

  constructor(options: ConsumerOptions) {
    this.#options = options
  }

  get isWriting(): boolean {
    return this.#writing !== undefined && !this.#writing.isDone
  }

  get isFrozen(): boolean {
    return this.isWriting && this.#writing?.gate.isHolding() === true
  }

  /** What it could still commit. */
  get heldIds(): EntryId[] {
    const reading = this.#held.flatMap(({ entries }) => entries.map(({ id }) => id))
    return this.isWriting ? [...reading, ...(this.#writing?.ids ?? [])] : reading
  }

  /** Reads new entries (`>`), or those pending after an id. @returns the last id read. */
  async read(group: string, from: string, count: number): Promise<string | undefined> {
    const { redis, stream, name } = this.#options
    await ensureGroup(redis, { stream, group })
    const args = ['GROUP', group, name, 'COUNT', count, 'STREAMS', stream, from] as const
    const reply = (await redis.xreadgroupBuffer(...args)) as [Buffer, [Buffer, Buffer[] | null][]][] | null
    const entries = reply?.[0]?.[1] ?? []
    await this.#settleVanished(
      group,
      entries.filter(([, fields]) => fields === null).map(([id]) => String(id)),
    )
    this.#hold(
      entries.flatMap(([id, fields]) => (fields === null ? [] : [[id, fields]])),
      from === '>',
    )
    return entries.at(-1)?.[0].toString('latin1')
  }

  /** Takes over what is pending for the others. */
  async claim(group: string, isAlive: (consumer: string) => boolean): Promise<number> {
    const { redis, stream, name } = this.#options
    await ensureGroup(redis, { stream, group })
    const options = {
      redis,
      stream,
      group,
      consumer: name,
      minIdleMs: 0,
      isAlive: async (each: string) => isAlive(each),
    }
    let claimed = 0
    for await (const { entries, vanished } of claimIdle(options)) {
      await this.#settleVanished(group, vanished)
      this.#hold(entries, false)
      claimed += entries.length
    }
    return claimed
  }

  /** Begins to write all it holds, and waits a little for that. */
  async write(group: string, { maxRows, concurrency, fate, acks }: WriteStep): Promise<void> {
    const { pool, redis, stream, partitions, interner } = this.#options
    const gate = createCommitGate(pool, fate)
    const writer = new TelemetryWriter<LogRecord>(LOG_RECORD_TABLE, {
      pool: gate.pool,
      stream,
      partitions,
      interner,
      maxRows,
      concurrency,
      onCommitted: async ({ batch, duplicates }) => {
        this.duplicates += duplicates
        if (!acks) return
        const ids = batch.entries.map(({ id }) => formatEntryId(id))
        await ackEntries(redis, { stream, group }, ids)
        this.#options.onAcknowledged(batch.entries.map(({ crc }, index) => `${ids[index]}:${crc}`))
      },
    })
    const chunks = this.#held
    const ids = this.heldIds
    this.#held = []
    const writing: Writing = {
      gate,
      writer,
      ids,
      isDone: false,
      done: this.#writeAll(writer, chunks).finally(() => {
        writing.isDone = true
      }),
    }
    this.#writing = writing
    const isHolding = async () => {
      while (!gate.isHolding() && !writing.isDone) await sleep(1)
    }
    await Promise.race([writing.done, isHolding(), sleep(PATIENCE_MS)])
  }

  async wake(fate: CommitFate): Promise<void> {
    this.#writing?.gate.open(fate)
    await Promise.race([this.#writing?.done, sleep(PATIENCE_MS)])
  }

  /** SIGKILL: what it held and had not committed is forgotten. */
  async crash(): Promise<void> {
    this.#held = []
    this.#writing?.gate.kill()
    this.#writing?.writer.destroy()
    await this.#writing?.done
  }

  /** Resolves when all that was begun is committed. */
  async finish(): Promise<void> {
    this.#writing?.gate.open('commit')
    await this.#writing?.done
  }

  async #writeAll(writer: TelemetryWriter<LogRecord>, chunks: readonly EntryChunk[]): Promise<void> {
    const { stream } = this.#options
    const ended = new AbortController().signal
    const decoding = {
      stream,
      decoder: writer.decoder,
      inFlight: new InFlight(2 ** 30, [stream]),
      onDecoded: () => undefined,
      ended,
    }
    const closed = once(writer, 'close').catch(() => undefined)
    for await (const chunk of decodeEntries(toAsync(chunks), decoding))
      if (!writer.destroyed) writer.write(chunk)
    if (!writer.destroyed) writer.end()
    await closed
  }

  #hold(entries: readonly (readonly [Buffer, Buffer[]])[], contiguous: boolean): void {
    if (entries.length === 0) return
    for (const [id, fields] of entries)
      this.#options.onDelivered(`${id.toString('latin1')}:${fieldsCrc(fields)}`)
    this.#held.push({
      contiguous,
      readAt: Date.now(),
      entries: entries.map(([id, fields]) => ({
        id: parseEntryId(id.toString('latin1')),
        fields,
        bytes: bytesOfFields(fields),
      })),
    })
  }

  /** While a frozen transaction may still commit them, nothing can be said: they stay pending, and are met again. */
  async #settleVanished(group: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const { pool, redis, stream, onLost } = this.#options
    const vanished = new VanishedEntries({
      pool,
      redis,
      stream,
      group,
      frozenSessions: new FrozenSessions(pool, 3_600_000),
      isStale: () => false,
      onLost,
      onLostAcknowledged: () => undefined,
      onFrozenEnded: () => undefined,
      patienceMs: OPEN_BATCHES_MAX_MS,
    })
    await vanished.settle(ids)
  }
}

async function* toAsync<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}
