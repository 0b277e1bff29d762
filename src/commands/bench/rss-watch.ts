import { readFileSync } from 'node:fs'

const EVERY_MS = 20

/** Watches how much memory a process holds. Knows nothing without /proc. */
export class RssWatch {
  readonly #pid: number
  readonly #timer: NodeJS.Timeout
  #before: number
  #peak: number

  constructor(pid: number) {
    this.#pid = pid
    this.#before = this.#peak = this.#read()
    this.#timer = setInterval(() => {
      this.#peak = Math.max(this.#peak, this.#read())
    }, EVERY_MS)
  }

  /** How much more it held at most than it did at the beginning, in bytes. */
  get riseBytes(): number {
    return this.#peak - this.#before
  }

  startOver(): void {
    this.#before = this.#peak = this.#read()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** VmRSS of proc(5). */
  #read(): number {
    try {
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))?.[1]
      return Number(kib ?? 0) * 1024
    } catch {
      return 0
    }
  }
}
