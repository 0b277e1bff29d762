import type { Fault } from './fault.ts'
import type { Fsync, Servers } from './servers.ts'

export interface CampaignOptions {
  readonly seed: number
  /** How long faults are struck; what is under way then is finished. */
  readonly durationMs: number
  /** Ends sooner, when every fault has hit so many times. */
  readonly strikes: number
  readonly faults: readonly Fault[]
  readonly workers: number
  readonly entriesPerSecond: number
  readonly fsync: Fsync
  /** Servers to work on; without them the campaign starts its own. */
  readonly servers?: Servers
  readonly streamPrefix: string
  /** Leaves the logs of the workers where they are. */
  readonly keepLogs?: boolean
  readonly signal: AbortSignal
  readonly tell: (line: string) => void
}
