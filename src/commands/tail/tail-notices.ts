import type { ByeReason, GapReason, TailEvent } from '../../tail/tail-event.ts'
import { formatNanos } from '../query/format-value.ts'
import type { Paint } from '../query/paint.ts'
import { terminalLine } from '../terminal-text.ts'
import { formatCount } from '../text-table.ts'

export interface TailNoticesOptions {
  readonly write: (line: string) => void
  readonly paint: Paint
  /** What the tail is of, for a person: `http://127.0.0.1:4318`. */
  readonly source: string
}

const GAPS: { readonly [R in GapReason]: string } = {
  trimmed: 'they are gone from the stream',
  behind: 'this tail was too far behind',
  unavailable: 'they are in PostgreSQL alone, which cannot be read',
  too_many: 'they are too many',
  reset: 'the stream has begun again',
}
const BYES: { readonly [R in ByeReason]: string } = {
  shutdown: 'it is stopping',
  limit: 'all records that were asked for have come',
}

/** Tells what happens to a tail, beside its records. */
export class TailNotices {
  readonly #options: TailNoticesOptions
  #wasLost = false
  #wasConnected = false

  constructor(options: TailNoticesOptions) {
    this.#options = options
  }

  /** @param lastEventId the record after which the tail goes on. */
  connected(lastEventId: string | undefined): void {
    if (!this.#wasLost || !this.#wasConnected) this.#tell(`connected to ${this.#options.source}`)
    else if (lastEventId === undefined)
      this.#tell('connected again; what came meanwhile is shown as far as --lines and --since say')
    else this.#tell('resumed after the last record')
    this.#wasConnected = true
    this.#wasLost = false
  }

  lost(why: string, waitMs: number): void {
    this.#wasLost = true
    const { source } = this.#options
    const what = this.#wasConnected
      ? `lost ${source}: ${why}`
      : `no tail from ${source} (is "observatory serve" running there?): ${why}`
    this.#tell(`${what}; connecting again in ${formatNanos(waitMs * 1e6)}`)
  }

  /** What the server says beside records. */
  event(event: TailEvent): void {
    if (event.kind === 'dropped')
      this.#tell(`dropped ${records(event.count)}: this reader is too slow`, 'warn')
    else if (event.kind === 'gap') this.#gap(event)
    else if (event.kind === 'bye') this.#tell(`bye from the server: ${BYES[event.reason] ?? event.reason}`)
  }

  #gap({ from, to, entries, reason }: Extract<TailEvent, { kind: 'gap' }>): void {
    const count = entries === null ? 'entries' : entries === 1 ? '1 entry' : `${formatCount(entries)} entries`
    this.#tell(`gap: ${count} between ${from} and ${to} not looked at: ${GAPS[reason] ?? reason}`, 'warn')
  }

  #tell(text: string, style: 'faint' | 'warn' = 'faint'): void {
    const { write, paint } = this.#options
    write(`${paint(terminalLine(`-- ${text}`), style)}\n`)
  }
}

function records(count: number): string {
  return count === 1 ? '1 record' : `${formatCount(count)} records`
}
