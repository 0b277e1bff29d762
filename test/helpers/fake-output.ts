import { PassThrough } from 'node:stream'

/** What stands for standard output or standard error: a terminal of so many columns, or a pipe where none are said. */
export class FakeOutput extends PassThrough {
  readonly isTTY: boolean
  readonly columns: number | undefined
  text = ''

  constructor(columns?: number) {
    super()
    this.isTTY = columns !== undefined
    this.columns = columns
    this.setEncoding('utf8').on('data', (text: string) => {
      this.text += text
    })
  }

  /** The lines so far, without the last line feed. */
  get lines(): string[] {
    return this.text.replace(/\n$/, '').split('\n')
  }
}
