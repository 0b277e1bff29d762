/** Standard input, or what stands for it in a test. */
export interface KeyInput {
  readonly isTTY?: boolean | undefined
  setRawMode?(raw: boolean): unknown
  on(event: 'data' | 'error', listener: (bytes: Buffer) => void): unknown
  off(event: 'data', listener: (bytes: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

export interface KeyActions {
  /** q or Ctrl-C: without a line to edit the terminal makes no signal of it. */
  readonly end: () => void
  readonly scroll: (lines: number) => void
}

/** One key: an escape sequence (ECMA-48 CSI, or SS3), or a character. Several may come in one piece. */
const KEY = /\p{Cc}[[O][\d;]*[A-Za-z~]|[\s\S]/gu
const ENDS = new Set(['q', 'Q', '\u0003'])
const PAGE = 10
const SCROLLS: Readonly<Record<string, number>> = {
  j: 1,
  '\u001b[B': 1,
  '\u001bOB': 1,
  k: -1,
  '\u001b[A': -1,
  '\u001bOA': -1,
  ' ': PAGE,
  '\u001b[6~': PAGE,
  '\u001b[5~': -PAGE,
}

/** Watches the keys of a terminal. @returns what ends that and gives the terminal its mode back. */
export function watchKeys(input: KeyInput, { end, scroll }: KeyActions): () => void {
  if (input.isTTY !== true) return () => undefined
  const onData = (bytes: Buffer): void => {
    for (const [key] of bytes.toString('latin1').matchAll(KEY)) {
      const by = SCROLLS[key]
      if (by !== undefined) scroll(by)
      else if (ENDS.has(key)) end()
    }
  }
  input.setRawMode?.(true)
  input.on('data', onData)
  // A terminal that is gone hangs up, which is a signal of its own.
  input.on('error', () => undefined)
  input.resume()
  return () => {
    input.off('data', onData)
    input.setRawMode?.(false)
    input.pause()
  }
}
