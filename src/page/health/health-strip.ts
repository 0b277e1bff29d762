import { element } from '../dom/element.ts'
import { formatCount, formatRate } from '../format.ts'
import { type IngestReading, ingestReading } from './ingest-reading.ts'
import { judgeIngest, type ReadinessReading, type Verdict } from './judge-ingest.ts'
import { Sparkline } from './sparkline.ts'

const EVERY_MS = 2000
/** Values in the small lines: two minutes. */
const SHOWN = 60

/** Whether ingest keeps up: asks the service every few seconds while the page is looked at. */
export class HealthStrip {
  readonly element = element('section', { class: 'health', 'aria-label': 'Ingest' })
  readonly #verdict = element('span', { class: 'verdict', role: 'status' }, 'asking…')
  readonly #rate = new Figure(
    'records/s',
    'Records written in a second, of traces, metrics and logs together',
    true,
  )
  readonly #lag = new Figure('waiting', 'Entries in Redis that are not read yet', true)
  readonly #delay = new Figure('delay', 'From XADD to COMMIT, of what was written last')
  readonly #letters = new Figure('dead letters', 'Records refused since the service was started')
  #before: IngestReading | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    const all = [this.#rate, this.#lag, this.#delay, this.#letters]
    this.element.append(this.#verdict, ...all.map((figure) => figure.element))
    document.addEventListener('visibilitychange', () => this.#schedule(0))
    void this.#ask()
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer)
    // Nobody looks: nothing is asked. What comes after a long time is no rate.
    if (document.visibilityState === 'visible') this.#timer = setTimeout(() => void this.#ask(), inMs)
    else this.#before = undefined
  }

  async #ask(): Promise<void> {
    try {
      const [metrics, readiness] = await Promise.all([fetchOk('metrics'), fetchReadiness()])
      this.#show(ingestReading(metrics, performance.now()), readiness)
    } catch {
      this.#before = undefined
      this.#judged({ state: 'stopped', word: 'no answer', detail: 'The service does not answer' })
    }
    this.#schedule(EVERY_MS)
  }

  #show(now: IngestReading, readiness: ReadinessReading): void {
    const before = this.#before
    this.#before = now
    this.#lag.show(now.lagEntries === undefined ? '?' : formatCount(now.lagEntries), now.lagEntries)
    this.#letters.show(formatCount(now.deadLetters))
    this.#letters.element.classList.toggle(
      'warn',
      before !== undefined && now.deadLetters > before.deadLetters,
    )
    // The first rate needs a second reading, which is not long in coming.
    const verdict = judgeIngest(before ?? { ...now, atMs: now.atMs - EVERY_MS }, now, readiness)
    this.#judged(verdict)
    if (before === undefined) return
    const { recordsPerSecond: rate, delaySeconds: delay } = verdict
    this.#rate.show(rate === undefined ? '–' : formatRate(rate), rate)
    this.#delay.show(delay === undefined ? '–' : `${delay.toFixed(delay < 10 ? 2 : 0)} s`)
  }

  #judged({ state, word, detail }: Pick<Verdict, 'state' | 'word' | 'detail'>): void {
    this.element.dataset.state = state
    this.#verdict.title = detail
    // A screen reader says it when it changes, not every three seconds.
    const text = state === 'stopped' ? `${word}: ${detail}` : word
    if (this.#verdict.textContent !== text) this.#verdict.replaceChildren(element('span', {}, text))
  }
}

/** A number with its name, and a line of how it was. */
class Figure {
  readonly element: HTMLElement
  readonly #value = element('span', { class: 'value' }, '–')
  readonly #line: Sparkline | undefined

  constructor(name: string, title: string, hasLine = false) {
    this.#line = hasLine ? new Sparkline(SHOWN) : undefined
    this.element = element(
      'span',
      { class: 'figure', title },
      this.#value,
      element('span', { class: 'unit' }, name),
    )
    if (this.#line !== undefined) this.element.append(this.#line.element)
  }

  show(text: string, value?: number): void {
    this.#value.textContent = text
    if (value !== undefined) this.#line?.add(value)
  }
}

async function fetchOk(path: string): Promise<string> {
  const answer = await fetch(path)
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  return answer.text()
}

/** Also 503 is an answer: it says what is wrong. */
async function fetchReadiness(): Promise<ReadinessReading> {
  return (await (await fetch('readyz')).json()) as ReadinessReading
}
