import type { Rejection } from '../../models/rejection.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { Producer } from '../../producer/contract.ts'
import type { InputRecord } from './input-record.ts'
import { KeyedBatches } from './keyed-batches.ts'
import type { Refusals } from './refusals.ts'

/** Records of an entry, unless told otherwise. */
export const BATCH_RECORDS = 100

/** Where records go: into batches as they come, or into batches that the input alone decides. */
export interface Destination {
  /** Takes the next record of the input; one that is not accepted only counts. */
  take(input: InputRecord, isAccepted: boolean): Promise<void>
  /** The input has ended. */
  end(): Promise<void>
}

export interface DestinationOptions {
  readonly producer: Producer
  readonly telemetrySignal: TelemetrySignal
  readonly refusals: Refusals
  readonly batch?: number | undefined
  readonly idempotencyKey?: string | undefined
}

export function openDestination(options: DestinationOptions): Destination {
  const { producer, telemetrySignal, refusals, idempotencyKey, batch } = options
  if (idempotencyKey !== undefined) {
    const onRefused = (line: number, rejection: Rejection): void => refusals.add(line, rejection)
    const size = batch ?? BATCH_RECORDS
    const batches = new KeyedBatches({ producer, telemetrySignal, prefix: idempotencyKey, size, onRefused })
    return {
      take: ({ record, line }, isAccepted) => batches.add(line, isAccepted ? record : undefined),
      end: () => batches.end(),
    }
  }
  return {
    async take({ record, line }, isAccepted) {
      if (!isAccepted || record === undefined) return
      const rejection = await producer.add(telemetrySignal, record)
      if (rejection !== undefined) refusals.add(line, rejection)
    },
    end: async () => undefined,
  }
}
