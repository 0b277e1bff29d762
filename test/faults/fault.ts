import type { Redis } from 'ioredis'
import type pg from 'pg'
import type { Random } from '../../src/demo/random.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import type { Exporter } from './exporter.ts'
import type { Load } from './load.ts'
import type { Oracle } from './oracle.ts'
import type { Servers } from './servers.ts'
import type { Worker } from './worker.ts'

/** What a fault has to work with. */
export interface Campaign {
  readonly random: Random
  readonly oracle: Oracle
  readonly load: Load
  readonly exporter: Exporter
  readonly workers: readonly Worker[]
  readonly servers: Servers
  /** Where a small disk of the campaign's own is mounted for the tables; undefined where mounting is refused. */
  readonly smallDisk: SmallDisk | undefined
  readonly streamPrefix: string
  /** The campaign's own connections: past every proxy. */
  readonly redis: Redis
  query<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<R[]>
  /** Aborted when the campaign is to end. */
  readonly signal: AbortSignal
  /** For the person who watches. */
  readonly tell: (line: string) => void
  /** These entries are taken off the pending list by the fault and not by an acknowledgement. */
  exemptFromAckSample(stream: string, ids: readonly string[]): void
  /** The live worker that this strike is for. */
  pickWorker(): Worker
  /** Resolves when everything accepted until now is committed, or lost by Redis where it may. */
  settle(timeoutMs?: number): Promise<void>
}

export interface SmallDisk {
  /** Lets nothing more be written. */
  fill(): Promise<void>
  clear(): Promise<void>
}

export interface Hits {
  readonly detail: string
  readonly hits: number
}

/** A fault that can be struck any number of times. */
export interface Fault {
  readonly name: string
  /** Redis may lose by it what it had acknowledged. Export requests are held up meanwhile. */
  readonly loses?: true
  /** It stops servers, which only the campaign's own may be. */
  readonly needsOwnServers?: true
  /** What its strikes are expected to cause, summed over all of them; none that is expected may be zero. */
  readonly causes: readonly Effect[]
  /**
   * Strikes once, and takes the fault away again.
   *
   * @returns what it hit, for the report; several hits where it struck several workers at once.
   * @throws MomentMissed when its moment did not come; DeadlineMissed when the product did not get over it.
   */
  strike(campaign: Campaign): Promise<string | Hits>
}

/** `redelivered`: entries given to a worker again. `duplicates`: records that the ledger recognised. `claimed`: entries taken over. */
export type Effect = 'redelivered' | 'duplicates' | 'claimed' | 'retries' | 'redisErrors'

export const GROUP = 'observatory'

export function streamOf({ streamPrefix }: Pick<Campaign, 'streamPrefix'>, signal: TelemetrySignal): string {
  return `${streamPrefix}:${signal}`
}
