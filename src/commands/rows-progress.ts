import { Progress, type ProgressOutput } from './send/progress.ts'

/** Which step of how many rows of what: of an archive, or of an erasure. */
interface RowsDone {
  readonly step: string
  readonly what: string
  readonly rows: number
}

/** How far work on rows is, on a terminal: one line that is drawn again and again. */
export class RowsProgress {
  readonly #progress: Progress

  constructor(stderr: ProgressOutput) {
    this.#progress = new Progress(stderr)
  }

  readonly update = ({ step, what, rows }: RowsDone): void => {
    this.#progress.update({
      noun: `rows: ${step} ${what}`,
      records: rows,
      refused: 0,
      bytesRead: 0,
      totalBytes: undefined,
    })
  }

  /** Writes a line of its own, where the progress was. */
  line(text: string): void {
    this.#progress.line(text)
  }

  clear(): void {
    this.#progress.clear()
  }
}
