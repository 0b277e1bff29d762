import { formatCount } from '../text-table.ts'
import type { WrittenRows } from './written-rows.ts'

/** Standard error, or what stands for it in a test. */
export interface LineOutput {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

/** Of a terminal that does not tell its own, or tells 0. */
const UNKNOWN_WIDTH = 80
/** Back to the first column, and clear to the end of the line (ECMA-48 EL). */
const CLEAR = '\r\u001b[K'

/**
 * Lines, and below them, on a terminal only, one line that stays and changes.
 *
 * Everything that is written to the output must go through it, the log too: else it would land in the middle of that line.
 */
export class StatusLine {
  readonly #output: LineOutput
  #shown = ''

  constructor(output: LineOutput) {
    this.#output = output
  }

  get isTerminal(): boolean {
    return this.#output.isTTY === true
  }

  /** Writes text of whole lines. */
  print(text: string): void {
    if (this.#shown === '') this.#output.write(text)
    else this.#output.write(`${CLEAR}${text}${this.#shown}`)
  }

  /** Changes the line that stays; without a terminal, writes it. */
  show(line: string): void {
    if (!this.isTerminal) {
      this.#output.write(`${line}\n`)
      return
    }
    // A line that wraps could not be cleared.
    this.#shown = line.slice(0, (this.#output.columns || UNKNOWN_WIDTH) - 1)
    this.#output.write(`${CLEAR}${this.#shown}`)
  }

  /** Leaves the line that stays where it is; what follows goes below it. */
  end(): void {
    if (this.#shown !== '') this.#output.write('\n')
    this.#shown = ''
  }
}

/** `1,234 rows written (spans 700, data points 134, log records 400), 35/s, lag 0` */
export function describeRows({ rows, total, lag }: WrittenRows, perSecond: number): string {
  const { traces, metrics, logs } = rows
  const parts = `spans ${formatCount(traces)}, data points ${formatCount(metrics)}, log records ${formatCount(logs)}`
  const behind = lag === undefined ? 'unknown' : formatCount(lag)
  return `${formatCount(total)} rows written (${parts}), ${formatCount(Math.round(perSecond))}/s, lag ${behind}`
}
