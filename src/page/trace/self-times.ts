/** A span as far as its time goes; nanoseconds from the start of the trace. */
export interface TimedSpan {
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startNs: number
  readonly endNs: number
}

/** How much of each span's time none of its children takes: where the time went. In the order of the spans. */
export function selfTimes(spans: readonly TimedSpan[]): readonly number[] {
  const children = new Map<string, TimedSpan[]>()
  for (const span of spans) {
    if (span.parentSpanId === undefined || span.parentSpanId === span.spanId) continue
    const siblings = children.get(span.parentSpanId)
    if (siblings === undefined) children.set(span.parentSpanId, [span])
    else siblings.push(span)
  }
  return spans.map((span) => span.endNs - span.startNs - covered(span, children.get(span.spanId) ?? []))
}

/** How much of a span its children cover, those that run at once counted once, and what is beyond it not at all. */
function covered({ startNs, endNs }: TimedSpan, children: readonly TimedSpan[]): number {
  let total = 0
  let until = startNs
  for (const child of [...children].sort((a, b) => a.startNs - b.startNs)) {
    const from = Math.max(child.startNs, until)
    const to = Math.min(child.endNs, endNs)
    if (to > from) {
      total += to - from
      until = to
    }
  }
  return total
}
