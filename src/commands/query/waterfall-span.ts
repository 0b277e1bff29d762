import { formatCount } from '../text-table.ts'
import { formatCost } from './format-value.ts'

/** What a waterfall shows of a span of `readTraceView`. */
export interface TraceSpan {
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly service: string
  readonly depth: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano?: string
  readonly status?: { readonly code?: string; readonly message?: string }
  readonly genAi?: {
    readonly model?: string
    readonly inputTokens?: number
    readonly outputTokens?: number
    readonly cost?: number
  }
}

/** The same without what was said, of which there can be megabytes: all spans of a trace are held. */
export interface WaterfallSpan {
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly service: string
  readonly depth: number
  readonly startNs: bigint
  /** Undefined where it has no end. */
  readonly durationNs: bigint | undefined
  readonly isError: boolean
  /** What went wrong, and what a call of a model took. */
  readonly detail: string
}

/** Characters of texts from elsewhere that are held: more than a line has. */
const HELD = 500

export function waterfallSpan(span: TraceSpan): WaterfallSpan {
  const { spanId, parentSpanId, name, service, depth, startTimeUnixNano, endTimeUnixNano, status } = span
  const startNs = BigInt(startTimeUnixNano)
  const detail = [status?.message, callText(span)].filter((text) => text !== undefined && text !== '')
  return {
    spanId,
    parentSpanId,
    name: name.slice(0, HELD),
    service: service.slice(0, HELD),
    depth,
    startNs,
    durationNs: endTimeUnixNano === undefined ? undefined : BigInt(endTimeUnixNano) - startNs,
    isError: status?.code === 'error',
    detail: detail.join(', ').slice(0, HELD),
  }
}

/** `1,200 in, 85 out, $0.0021, gpt-4o` */
function callText({ genAi = {} }: TraceSpan): string {
  const { model, inputTokens, outputTokens, cost } = genAi
  const parts = [
    inputTokens !== undefined && `${formatCount(inputTokens)} in`,
    outputTokens !== undefined && `${formatCount(outputTokens)} out`,
    cost !== undefined && formatCost(cost),
    // Last: it is cut first, and mostly part of the name.
    model,
  ]
  return parts.filter(Boolean).join(', ')
}
