import type { ChatMeasurement } from './chat-call.ts'
import type { Random } from './random.ts'
import { type DemoEnvironment, type DemoService, ENVIRONMENTS, resourceOf, SERVICES } from './services.ts'
import type { DemoAttributes } from './trace-draft.ts'

/** Bucket bounds that the gen_ai conventions advise: tokens and seconds. */
const TOKEN_BOUNDS = Array.from({ length: 14 }, (_, power) => 4 ** power)
const SECOND_BOUNDS = Array.from({ length: 14 }, (_, power) => 0.01 * 2 ** power)

interface Histogram {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly environment: DemoEnvironment
  readonly attributes: DemoAttributes
  readonly bounds: readonly number[]
  readonly bucketCounts: number[]
  count: number
  sum: number
  min: number
  max: number
}

interface RequestCounter {
  readonly environment: DemoEnvironment
  readonly attributes: DemoAttributes
  value: number
}

/**
 * What the demo's services have measured since they started, as cumulative points. The series are bounded by the
 * catalogue: environments × models × token types, and status codes.
 */
export class Meter {
  readonly #startTimeUnixNano: string
  readonly #histograms = new Map<string, Histogram>()
  readonly #requests = new Map<string, RequestCounter>()
  readonly #memory = new Map<string, number>()

  constructor(startTimeUnixNano: bigint) {
    this.#startTimeUnixNano = String(startTimeUnixNano)
  }

  recordRequest(environment: DemoEnvironment, route: string, statusCode: number): void {
    const key = `${environment} ${route} ${statusCode}`
    const attributes = { 'http.route': route, 'http.response.status_code': statusCode }
    const counter = this.#requests.get(key) ?? { environment, attributes, value: 0 }
    counter.value++
    this.#requests.set(key, counter)
  }

  recordChat(environment: DemoEnvironment, chat: ChatMeasurement): void {
    const attributes: DemoAttributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': chat.provider,
      'gen_ai.request.model': chat.requestModel,
    }
    const duration = {
      name: 'gen_ai.client.operation.duration',
      unit: 's',
      description: 'GenAI operation duration.',
      environment,
      attributes: chat.errorType === undefined ? attributes : { ...attributes, 'error.type': chat.errorType },
      bounds: SECOND_BOUNDS,
    }
    this.#observe(duration, chat.durationS)
    if (chat.errorType !== undefined) return
    const usage = {
      name: 'gen_ai.client.token.usage',
      unit: '{token}',
      description: 'Number of input and output tokens used.',
      environment,
      bounds: TOKEN_BOUNDS,
    }
    const tokens = { input: chat.inputTokens, output: chat.outputTokens }
    for (const [type, count] of Object.entries(tokens)) {
      this.#observe({ ...usage, attributes: { ...attributes, 'gen_ai.token.type': type } }, count)
    }
  }

  /** All points, as of `timeUnixNano`. */
  collect(timeUnixNano: bigint, random: Random): object[] {
    const time = { timeUnixNano: String(timeUnixNano), startTimeUnixNano: this.#startTimeUnixNano }
    const points: object[] = [...this.#histograms.values()].map((histogram) =>
      histogramPoint(histogram, time),
    )
    for (const { environment, attributes, value } of this.#requests.values()) {
      points.push({
        name: 'gateway.requests',
        type: 'counter',
        unit: '{request}',
        description: 'Requests answered by the gateway.',
        ...time,
        value,
        attributes,
        ...producedBy('gateway', environment),
      })
    }
    for (const environment of ENVIRONMENTS) {
      points.push({
        name: 'agent.queue.depth',
        type: 'gauge',
        unit: '{request}',
        description: 'Requests waiting for a free agent.',
        timeUnixNano: String(timeUnixNano),
        value: random.count(environment === 'production' ? 3 : 0.3),
        ...producedBy('agent', environment),
      })
      for (const service of SERVICES) points.push(this.#memoryPoint(service, environment, { time, random }))
    }
    return points
  }

  #observe(kind: Omit<Histogram, 'bucketCounts' | 'count' | 'sum' | 'min' | 'max'>, value: number): void {
    const key = JSON.stringify([kind.name, kind.environment, kind.attributes])
    let histogram = this.#histograms.get(key)
    if (histogram === undefined) {
      const bucketCounts = Array.from({ length: kind.bounds.length + 1 }, () => 0)
      histogram = { ...kind, bucketCounts, count: 0, sum: 0, min: value, max: value }
      this.#histograms.set(key, histogram)
    }
    const above = kind.bounds.findIndex((bound) => value <= bound)
    const bucket = above === -1 ? kind.bounds.length : above
    histogram.bucketCounts[bucket] = (histogram.bucketCounts[bucket] ?? 0) + 1
    histogram.count++
    histogram.sum += value
    histogram.min = Math.min(histogram.min, value)
    histogram.max = Math.max(histogram.max, value)
  }

  /** Memory wanders: it grows a little, and falls back when garbage is collected. */
  #memoryPoint(
    service: DemoService,
    environment: DemoEnvironment,
    { time, random }: { time: object; random: Random },
  ): object {
    const key = `${service} ${environment}`
    const before = this.#memory.get(key) ?? random.between(90e6, 180e6)
    const bytes = random.chance(0.1) ? before * 0.8 : before + random.between(0, 3e6)
    this.#memory.set(key, bytes)
    return {
      name: 'process.memory.usage',
      type: 'updowncounter',
      unit: 'By',
      description: 'The amount of physical memory in use.',
      ...time,
      value: Math.round(bytes),
      ...producedBy(service, environment),
    }
  }
}

function histogramPoint(histogram: Histogram, time: object): object {
  const { name, unit, description, bounds, bucketCounts, count, sum, min, max, attributes } = histogram
  return {
    name,
    type: 'histogram',
    unit,
    description,
    temporality: 'cumulative',
    ...time,
    count,
    sum,
    min,
    max,
    explicitBounds: bounds,
    bucketCounts: [...bucketCounts],
    attributes,
    ...producedBy('agent', histogram.environment),
  }
}

function producedBy(service: DemoService, environment: DemoEnvironment): object {
  return {
    service,
    resource: resourceOf(service, environment),
    scope: { name: `demo.${service}`, version: '1.0.0' },
  }
}
