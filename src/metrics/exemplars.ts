interface Exemplar {
  readonly traceId: string
  readonly value: number
  /** Unix time in seconds. */
  readonly at: number
}

/**
 * Exemplars of one histogram (OpenMetrics 1.0): the last value of each bucket with the trace that it was observed of, so that a slow one leads to what was slow. prom-client has them for registries that serve
 * OpenMetrics alone.
 */
export class Exemplars {
  readonly #line: RegExp
  readonly #bounds: readonly number[]
  readonly #last = new Map<string, Exemplar>()

  /** @param bounds of the histogram's buckets, rising. */
  constructor(histogram: string, bounds: readonly number[]) {
    this.#line = new RegExp(`^${histogram}_bucket\\{le="([^"]+)",signal="([^"]+)"\\} \\S+$`, 'gm')
    this.#bounds = bounds
  }

  /** @param traceId 32 hexadecimal digits. */
  note(signal: string, value: number, traceId: string): void {
    const bound = this.#bounds.find((each) => value <= each) ?? '+Inf'
    this.#last.set(`${bound} ${signal}`, { traceId, value, at: Date.now() / 1000 })
  }

  /** The text of a registry, with them behind the lines of their buckets. */
  addTo(text: string): string {
    return text.replaceAll(this.#line, (line, bound: string, signal: string) => {
      const exemplar = this.#last.get(`${bound} ${signal}`)
      if (exemplar === undefined) return line
      const { traceId, value, at } = exemplar
      return `${line} # {trace_id="${traceId}"} ${value} ${at.toFixed(3)}`
    })
  }
}
