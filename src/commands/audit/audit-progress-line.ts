import type { AuditProgress } from '../../audit/audit.ts'
import { formatCount } from '../text-table.ts'

/** A terminal, or what stands for one. */
export interface TerminalOutput {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

const REDRAW_MS = 200
/** Back to the first column, and clear to the end of the line (ECMA-48 EL). */
const CLEAR = '\r\u001b[K'

/** How far an audit is: one line that is drawn again and again on a terminal, and nothing elsewhere. Owns no timer. */
export class AuditProgressLine {
  readonly #output: TerminalOutput
  #drawnMs = Number.NEGATIVE_INFINITY
  #isDrawn = false

  constructor(output: TerminalOutput) {
    this.#output = output
  }

  update(state: AuditProgress): void {
    const nowMs = performance.now()
    // The first of each part is drawn at once: sorting a table goes before its first entry.
    if (this.#output.isTTY !== true || (state.entries > 0 && nowMs - this.#drawnMs < REDRAW_MS)) return
    this.#drawnMs = nowMs
    this.#isDrawn = true
    this.#output.write(`${CLEAR}${progressText(state)}`)
  }

  clear(): void {
    if (!this.#isDrawn) return
    this.#isDrawn = false
    this.#output.write(CLEAR)
  }
}

/** `logs: 12,000 entries in the stream` */
export function progressText({ signal, where, entries }: AuditProgress): string {
  if (where === 'stream') return `${signal}: ${formatCount(entries)} entries in the stream`
  return entries === 0
    ? `${signal}: sorting the tables`
    : `${signal}: ${formatCount(entries)} entries in the tables`
}
