/** A terminal, or what stands for one. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

export interface ProgressState {
  /** What is counted, in the plural: `spans`. */
  readonly noun: string
  readonly records: number
  readonly refused: number
  readonly bytesRead: number
  readonly totalBytes: number | undefined
}

const REDRAW_MS = 200
/** Back to the first column, and clear to the end of the line (ECMA-48 EL). */
const CLEAR = '\r\u001b[K'

/** One line that is drawn again and again on a terminal, and nothing at all elsewhere. Owns no timer: `update` redraws. */
export class Progress {
  readonly #output: ProgressOutput
  readonly #startMs = performance.now()
  #drawnMs = Number.NEGATIVE_INFINITY

  constructor(output: ProgressOutput) {
    this.#output = output
  }

  update(state: ProgressState): void {
    const nowMs = performance.now()
    if (this.#output.isTTY !== true || nowMs - this.#drawnMs < REDRAW_MS) return
    this.#drawnMs = nowMs
    this.#output.write(`${CLEAR}${progressLine(state, (nowMs - this.#startMs) / 1000)}`)
  }

  /** Writes a line of its own, where the progress was. */
  line(text: string): void {
    this.clear()
    this.#output.write(`${text}\n`)
  }

  clear(): void {
    if (this.#drawnMs === Number.NEGATIVE_INFINITY) return
    this.#drawnMs = Number.NEGATIVE_INFINITY
    this.#output.write(CLEAR)
  }
}

/** `12345 spans, 8230/s, 61 %, refused 2` */
export function progressLine(state: ProgressState, seconds: number): string {
  const { noun, records, refused, bytesRead, totalBytes } = state
  const parts = [`${records} ${noun}`]
  if (seconds > 0) parts.push(`${Math.round(records / seconds)}/s`)
  if (totalBytes !== undefined && totalBytes > 0)
    parts.push(`${Math.floor((100 * bytesRead) / totalBytes)} %`)
  if (refused > 0) parts.push(`refused ${refused}`)
  return parts.join(', ')
}
