import type { Paint } from '../../query/paint.ts'
import { fitLine, textWidth } from '../../query/text-width.ts'
import type { Line } from '../../tail/line.ts'

/** Standard output when it is a terminal, or what stands for it in a test. */
export interface ScreenOutput {
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  write(text: string): unknown
}

/** Of a terminal that does not tell its own, or tells 0. */
const UNKNOWN_COLUMNS = 80
const UNKNOWN_ROWS = 24

// DEC private modes: 1049 the alternate screen, 25 the cursor, 7 wrapping.
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l'
// ECMA-48: CUP, EL, ED.
const HOME = '\u001b[H'
const CLEAR_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/**
 * A terminal whose whole screen is drawn again and again. What was there before is there again when it is left. No line wraps: each is cut
 * at the right, and what is below the last row is reached by scrolling.
 */
export class LiveScreen {
  readonly #output: ScreenOutput
  readonly #paint: Paint
  #isEntered = false
  #lines: readonly Line[] = []
  #top = 0

  constructor(output: ScreenOutput, paint: Paint) {
    this.#output = output
    this.#paint = paint
  }

  enter(): void {
    this.#isEntered = true
    this.#output.write(ENTER)
    this.draw()
  }

  /** Called again, it does nothing. */
  leave(): void {
    if (this.#isEntered) this.#output.write(LEAVE)
    this.#isEntered = false
  }

  show(lines: readonly Line[]): void {
    this.#lines = lines
    this.draw()
  }

  scroll(by: number): void {
    this.#top += by
    this.draw()
  }

  /** Draws what is shown once more, for a terminal that has another size now. */
  draw(): void {
    if (!this.#isEntered) return
    const columns = this.#output.columns || UNKNOWN_COLUMNS
    // The last row says how to end it.
    const rows = (this.#output.rows || UNKNOWN_ROWS) - 1
    this.#top = Math.max(0, Math.min(this.#top, this.#lines.length - rows))
    const below = Math.max(0, this.#lines.length - rows - this.#top)
    const shown = this.#lines.slice(this.#top, this.#top + Math.max(0, rows))
    const more = below === 0 ? '' : `, ${below} more lines: down`
    const drawn = [...shown, [{ text: `q ends it${more}`, style: 'faint' } as const]].map((line) =>
      this.#painted(line, columns),
    )
    this.#output.write(`${HOME}${drawn.join(`${CLEAR_LINE}\r\n`)}${CLEAR_LINE}${CLEAR_BELOW}`)
  }

  #painted(line: Line, columns: number): string {
    let left = columns
    let painted = ''
    for (const { text, style } of line) {
      if (left <= 0) break
      const fitting = fitLine(text, left)
      left -= textWidth(fitting)
      painted += this.#paint(fitting, style)
    }
    return painted
  }
}
