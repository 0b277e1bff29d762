import { draftAgentTurn } from './agent-turn.ts'
import { Conversations } from './conversation.ts'
import { Meter } from './meter.ts'
import { Random } from './random.ts'

export interface WorkloadOptions {
  /** The same seed and the same times give the same telemetry. */
  readonly seed: number
  /** Traces that end per second, on average. */
  readonly tracesPerSecond: number
}

/** Records of the three streams, in the shapes of the wire contract. */
export interface DemoTelemetry {
  readonly traces: object[]
  readonly logs: object[]
  readonly metrics: object[]
}

/** A live LLM application, made up. Made by {@link createWorkload}. */
export interface Workload {
  /** What ended since the call before (the first time: within the last second). Nothing in it is later than `now`. */
  generate(now: Date): DemoTelemetry
}

const NANOS_PER_MS = 1_000_000n
/** The usual interval of metric exporters is a minute; a demo should show something sooner. */
const METRICS_INTERVAL_MS = 5_000
/** After a sleep of the laptop the demo goes on; it does not make up for hours. */
const LONGEST_TICK_MS = 10_000

/**
 * Makes a workload: users talk to agents that search, call models and tools, in production and staging. About 3 % of the
 * traces hold an error, some calls are slow, logs carry the trace and span that wrote them. No input but seed and clock.
 */
export function createWorkload({ seed, tracesPerSecond }: WorkloadOptions): Workload {
  const random = new Random(seed)
  const conversations = new Conversations(random)
  let meter: Meter | undefined
  let lastMs: number | undefined
  let lastMetricsMs = Number.NEGATIVE_INFINITY

  return {
    generate(now) {
      const nowMs = now.getTime()
      const tickMs = Math.min(LONGEST_TICK_MS, Math.max(0, nowMs - (lastMs ?? nowMs - 1000)))
      lastMs = nowMs
      meter ??= new Meter(BigInt(nowMs - tickMs) * NANOS_PER_MS)
      const telemetry: DemoTelemetry = { traces: [], logs: [], metrics: [] }
      const turns = random.count((tracesPerSecond * tickMs) / 1000)
      for (let turn = 0; turn < turns; turn++) {
        const conversation = conversations.next()
        const { trace, chats, route, statusCode } = draftAgentTurn(random, conversation)
        const { traces, logs } = trace.finish(randomNano(random, nowMs, tickMs))
        telemetry.traces.push(...traces)
        telemetry.logs.push(...logs)
        for (const chat of chats) meter.recordChat(conversation.environment, chat)
        meter.recordRequest(conversation.environment, route, statusCode)
      }
      if (nowMs - lastMetricsMs >= METRICS_INTERVAL_MS) {
        lastMetricsMs = nowMs
        telemetry.metrics.push(...meter.collect(BigInt(nowMs) * NANOS_PER_MS, random))
      }
      return telemetry
    },
  }
}

/** A moment of the tick, to the nanosecond, 2 ms before its end at the latest: logs are observed a moment later. */
function randomNano(random: Random, nowMs: number, tickMs: number): bigint {
  const agoNanos = Math.floor(random.between(2e6, Math.max(2e6, tickMs * 1e6)))
  return BigInt(nowMs) * NANOS_PER_MS - BigInt(agoNanos)
}
