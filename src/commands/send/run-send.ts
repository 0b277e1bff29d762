import { messageOf, ObservatoryError } from '../../errors.ts'
import type { Producer } from '../../producer/contract.ts'
import { createProducer } from '../../producer.ts'
import { readCsv } from './csv-records.ts'
import { BATCH_RECORDS, openDestination } from './destination.ts'
import type { InputChunk } from './input-record.ts'
import { type InputSource, type InputSourceOptions, openSource } from './input-source.ts'
import { readNdjson } from './ndjson-records.ts'
import { onlyText } from './only-text.ts'
import { Pace } from './pace.ts'
import { type AcceptedRecords, createPreparation } from './prepare-record.ts'
import { Progress, type ProgressOutput } from './progress.ts'
import { createMapping, type MappingOptions, type RecordMapping } from './record-mapping.ts'
import { Refusals } from './refusals.ts'
import { recordsOf, type SendSummary } from './send-summary.ts'
import { recordTime } from './shift-times.ts'

export interface SendOptions extends MappingOptions, Pick<InputSourceOptions, 'path' | 'stdin'> {
  readonly redisUrl: string
  readonly streamPrefix: string
  readonly format: 'csv' | 'ndjson'
  /** What ingest will accept: other records are refused here. Undefined sends whatever can be read. */
  readonly accepted: AcceptedRecords | undefined
  /** The newest record's time becomes now, all others keep their distance to it. */
  readonly shiftToNow?: boolean | undefined
  /** Records per second. No limit by default. */
  readonly rate?: number | undefined
  /** Records per entry. Default 100. */
  readonly batch?: number | undefined
  /** A later run of the same input under the same key adds nothing twice for an hour. */
  readonly idempotencyKey?: string | undefined
  /** Stops reading; what was taken over is still sent. */
  readonly signal: AbortSignal
  /** How long after `signal` Redis may take to acknowledge what is on its way. Default 5,000. */
  readonly closeTimeoutMs?: number
  /** Where progress and troubles are told. */
  readonly output: ProgressOutput
  readonly now?: () => Date
}

const BATCH_BYTES = 1024 * 1024
const CLOSE_TIMEOUT_MS = 5_000
/** The same trouble is told once in this time: reconnecting fails every few seconds. */
const TELL_AGAIN_MS = 60_000

/**
 * Reads records from a CSV or NDJSON input and adds them to their stream, in constant memory. Lines that cannot be read
 * and records that ingest would refuse are counted and left out. A Redis that is away is waited for until `signal`.
 *
 * @throws ObservatoryError ERR_USAGE when the input or an option cannot be what was meant; nothing was sent then. All other
 *   failures are in the summary, with what had been sent before.
 */
export async function send(options: SendOptions): Promise<SendSummary> {
  const startMs = performance.now()
  const mapping = createMapping(options)
  const progress = new Progress(options.output)
  const refusals = new Refusals()
  const refusedByRedis = new AbortController()
  const stop = AbortSignal.any([options.signal, refusedByRedis.signal])
  const producer = openProducer(options, { progress, refusedByRedis })
  const close = (): Promise<void> => producer.close({ timeoutMs: options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS })
  // Closing turns away whoever waits for room, so that an absent Redis does not hold up the stop.
  stop.addEventListener('abort', () => void close().catch(() => undefined), { once: true })
  const failures: unknown[] = []
  try {
    await transfer({ options, mapping, progress, refusals, producer, stop })
    await producer.flush()
  } catch (error) {
    if (!stop.aborted) failures.push(error)
  }
  await close().catch((error: unknown) => failures.push(error))
  progress.clear()
  const [failure] = refusedByRedis.signal.aborted ? [refusedByRedis.signal.reason] : failures
  if (failure instanceof ObservatoryError && failure.code === 'ERR_USAGE') throw failure
  const { sentRecords, sentEntries, repeatedRecords, failedRecords } = producer.stats()
  return {
    telemetrySignal: options.telemetrySignal,
    sent: sentRecords,
    entries: sentEntries,
    repeated: repeatedRecords,
    refused: refusals.total,
    refusedByReason: refusals.byReason,
    firstRefused: refusals.first,
    failed: failedRecords,
    interrupted: options.signal.aborted,
    error: failure === undefined ? undefined : messageOf(failure),
    seconds: (performance.now() - startMs) / 1000,
  }
}

function openProducer(
  options: SendOptions,
  { progress, refusedByRedis }: { readonly progress: Progress; readonly refusedByRedis: AbortController },
): Producer {
  const maxBatchBytes = Math.max(BATCH_BYTES, options.accepted?.recordMaxBytes ?? 0)
  const toldMs = new Map<string, number>()
  const tell = (message: string): void => {
    const nowMs = performance.now()
    if (nowMs - (toldMs.get(message) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS) return
    if (toldMs.size >= 100) toldMs.clear()
    toldMs.set(message, nowMs)
    progress.line(`waiting for Redis: ${message}`)
  }
  return createProducer({
    url: options.redisUrl,
    streamPrefix: options.streamPrefix,
    maxBatchRecords: options.batch ?? BATCH_RECORDS,
    maxBatchBytes,
    maxInFlightBytes: 8 * maxBatchBytes,
    onError: (error) => {
      const isRefusal = error instanceof ObservatoryError && error.code === 'ERR_SERVER_UNSUITABLE'
      if (isRefusal) refusedByRedis.abort(error)
      else tell(error.message)
    },
  })
}

interface Transfer {
  readonly options: SendOptions
  readonly mapping: RecordMapping
  readonly progress: Progress
  readonly refusals: Refusals
  readonly producer: Producer
  readonly stop: AbortSignal
}

async function transfer(run: Transfer): Promise<void> {
  const { options, progress, refusals, producer, stop } = run
  const { path, stdin, telemetrySignal } = options
  const isReadTwice = options.shiftToNow === true
  const source = await openSource({ path, stdin, isReadTwice, signal: stop })
  try {
    const now = options.now ?? (() => new Date())
    const shiftByNanos = isReadTwice ? await nanosToNow(run, source, now) : undefined
    const prepare = createPreparation({ telemetrySignal, shiftByNanos, accepted: options.accepted, now })
    const destination = openDestination({ ...options, producer, refusals })
    const pace = new Pace(options.rate ?? Number.POSITIVE_INFINITY, stop)
    let records = 0
    for await (const chunk of readRecords(run, source)) {
      for (const input of chunk.records) {
        stop.throwIfAborted()
        await pace.next()
        const rejection = input.rejection ?? prepare(input.record)
        if (rejection !== undefined) refusals.add(input.line, rejection)
        await destination.take(input, rejection === undefined)
        const refused = refusals.total
        const { bytesRead } = chunk
        progress.update({
          noun: recordsOf(telemetrySignal),
          records: ++records,
          refused,
          bytesRead,
          totalBytes: source.size,
        })
      }
    }
    await destination.end()
  } finally {
    await source.dispose()
  }
}

function readRecords({ options, mapping }: Transfer, source: InputSource): AsyncGenerator<InputChunk> {
  const chunks = onlyText(source.read())
  return options.format === 'csv'
    ? readCsv(chunks, mapping.forColumns)
    : readNdjson(chunks, mapping.forObject)
}

/** How far the newest record is from now; undefined if no record has a time. */
async function nanosToNow(run: Transfer, source: InputSource, now: () => Date): Promise<bigint | undefined> {
  let newest: bigint | undefined
  for await (const { records } of readRecords(run, source)) {
    run.stop.throwIfAborted()
    for (const { record } of records) {
      const time = record === undefined ? undefined : recordTime(run.options.telemetrySignal, record)
      if (time !== undefined && (newest === undefined || time > newest)) newest = time
    }
  }
  return newest === undefined ? undefined : BigInt(now().getTime()) * 1_000_000n - newest
}
