import { once } from 'node:events'
import type { Writable } from 'node:stream'
import type { SignalAudit } from '../../audit/audit.ts'
import type { AuditFailure } from '../../audit/audit-failure.ts'
import { formatAudits } from './format-audits.ts'

/**
 * Writes each failure when it is found, however many there are, and the counts at the end: lines and tables, or one JSON object.
 *
 * States: *nothing written*, first failure → *in the list*, {@link end} → done.
 */
export class AuditOutput {
  readonly #output: Writable
  readonly #isJson: boolean
  #written = 0

  constructor(output: Writable, isJson: boolean) {
    this.#output = output
    this.#isJson = isJson
  }

  async failure(failure: AuditFailure): Promise<void> {
    const text = this.#isJson
      ? `${this.#written === 0 ? '{"failures":[\n' : ',\n'}${JSON.stringify(failure)}`
      : `${formatFailure(failure)}\n`
    this.#written += 1
    await this.#write(text)
  }

  async end(audits: readonly SignalAudit[]): Promise<void> {
    if (!this.#isJson) {
      await this.#write(`${this.#written === 0 ? '' : '\n'}${formatAudits(audits)}`)
      return
    }
    const list = this.#written === 0 ? '{"failures":[' : '\n'
    await this.#write(`${list}],"signals":${JSON.stringify(audits)}}\n`)
  }

  /** Waits for whoever reads slowly. */
  async #write(text: string): Promise<void> {
    if (!this.#output.write(text)) await once(this.#output, 'drain')
  }
}

/** `logs 1700000000000-0 not_ingested: …` */
export function formatFailure({ signal, kind, id, lastId, detail }: AuditFailure): string {
  return `${signal} ${id}${lastId === null ? '' : `..${lastId}`} ${kind}: ${detail}`
}
