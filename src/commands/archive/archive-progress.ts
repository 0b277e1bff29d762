import type { ArchiveProgress } from '../../retention/archive/archive-context.ts'
import { Progress, type ProgressOutput } from '../send/progress.ts'

/** How far archiving is, on a terminal: one line that is drawn again and again. */
export class ArchiveProgressLine {
  readonly #progress: Progress

  constructor(stderr: ProgressOutput) {
    this.#progress = new Progress(stderr)
  }

  readonly update = ({ step, what, rows }: ArchiveProgress): void => {
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
