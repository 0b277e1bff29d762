const SVG = 'http://www.w3.org/2000/svg'

/** A line through the newest values, over all of its width. Says nothing to a screen reader: the number beside it does. */
export class Sparkline {
  readonly element = document.createElementNS(SVG, 'svg')
  readonly #line = document.createElementNS(SVG, 'polyline')
  readonly #values: number[] = []
  readonly #most: number

  /** @param most so many values are shown. */
  constructor(most: number) {
    this.#most = most
    this.element.setAttribute('viewBox', '0 0 100 20')
    this.element.setAttribute('preserveAspectRatio', 'none')
    this.element.setAttribute('class', 'sparkline')
    this.element.setAttribute('aria-hidden', 'true')
    this.element.append(this.#line)
  }

  /** Adds the newest value. */
  add(value: number): void {
    this.#values.push(value)
    if (this.#values.length > this.#most) this.#values.shift()
    const highest = Math.max(1, ...this.#values)
    const points = this.#values.map((each, index) => {
      const x = (index / Math.max(1, this.#values.length - 1)) * 100
      return `${x.toFixed(1)},${(19 - (each / highest) * 18).toFixed(1)}`
    })
    this.#line.setAttribute('points', points.join(' '))
  }
}
