import type { Redis } from 'ioredis'
import type { RecordBySignal } from '../models/decode-record.ts'
import { parseJson } from '../models/json.ts'
import { FACTS_OF } from '../models/record-facts.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { WIRE_JSON } from '../models/wire/wire-json.ts'
import { matcherOf } from '../repositories/match-record.ts'
import type { RecordDecoder } from '../writers/record-decoder.ts'
import type { LiveSource } from './live-reader.ts'
import { PastRecords } from './past-records.ts'
import { RecordReader } from './record-reader.ts'
import { isInSample } from './sample.ts'
import type { StoredRecord, StoredRecords, TailFilter } from './stored-records.ts'
import { type TailRequest, tail } from './tail.ts'
import type { TailEvent } from './tail-event.ts'
import { TailHub } from './tail-hub.ts'
import type { TailId } from './tail-id.ts'

/** As many of the last records as a tail begins with, at most. */
export const MAX_HISTORY = 1000

export interface TailQuestion {
  readonly filter: TailFilter
  /** The last record that was seen: all after it are shown. */
  readonly after: TailId | undefined
  /** Else so many of the last records come first. */
  readonly history: number
  /** Share of the matching records, above 0 and at most 1. */
  readonly sample: number
  /** Records, after which it ends. */
  readonly limit: number | undefined
}

/** Something that can be watched. */
export interface SignalTail {
  readonly watchers: number
  /** Records left out of those who watch or watched, because they read too slowly. */
  readonly dropped: number
  /** See {@link tail}. */
  watch(question: TailQuestion, signal: AbortSignal): AsyncGenerator<readonly TailEvent[], void>
  /** Says goodbye to all who watch. Nobody can watch any more. */
  close(): Promise<void>
}

export interface SignalTailOptions<S extends TelemetrySignal> extends Omit<LiveSource<unknown>, 'reader'> {
  readonly signal: S
  readonly decoder: RecordDecoder<RecordBySignal[S]>
  readonly commands: Redis
  /** Without it there is only what the stream still has. */
  readonly stored: StoredRecords | undefined
}

/** The tail of one signal. */
export function createSignalTail<S extends TelemetrySignal>(options: SignalTailOptions<S>): SignalTail {
  const { signal: telemetrySignal, decoder, stream, commands, stored, onError } = options
  const codec = { toJson: WIRE_JSON[telemetrySignal], toFacts: FACTS_OF[telemetrySignal] }
  const reader = new RecordReader<RecordBySignal[S]>(decoder, codec)
  const hub = new TailHub<RecordBySignal[S]>({ ...options, reader })
  const past = new PastRecords<RecordBySignal[S]>({ stream, redis: commands, reader, stored, onError })
  return {
    get watchers() {
      return hub.watchers
    },
    get dropped() {
      return hub.dropped
    },
    watch: (question, signal) =>
      tail({ hub, past }, requestOf<RecordBySignal[S]>(telemetrySignal, question), signal),
    close: () => hub.close(),
  }
}

function requestOf<T extends { readonly service: string }>(
  telemetrySignal: TelemetrySignal,
  { filter, sample, ...rest }: TailQuestion,
): TailRequest<T> {
  const isFound = matcherOf(telemetrySignal, filter)
  return {
    ...rest,
    filter,
    key: JSON.stringify({ ...filter, sample }, (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    ),
    service: filter.service,
    matches: (record) =>
      isFound(record.facts) && isInSample({ traceId: record.facts.traceId, id: record.id }, sample),
    isSampled: (record) => sample >= 1 || isInSample({ traceId: traceIdOf(record), id: record.id }, sample),
  }
}

function traceIdOf({ json }: StoredRecord): string | undefined {
  return (parseJson(json.toString()).value as { readonly traceId?: string } | undefined)?.traceId
}
