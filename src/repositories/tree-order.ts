/** A span of a trace, by its ids. */
export interface TreeSpan {
  readonly spanId: string
  readonly parentSpanId: string | null
}

/** Where a span stands in its trace: the root at 0. */
export interface Placed<T> {
  readonly span: T
  readonly depth: number
}

/**
 * The spans of a trace as a tree is read: each before what is inside it. Given in order of their start, siblings stay in it.
 *
 * A span whose parent is not there stands at the top, and so does one that is its own ancestor. Of spans that share an id the first is the parent.
 */
export function treeOrder<T extends TreeSpan>(spans: readonly T[]): readonly Placed<T>[] {
  const known = new Set(spans.map(({ spanId }) => spanId))
  const children = new Map<string, T[]>()
  const tops: T[] = []
  for (const span of spans) {
    const { parentSpanId } = span
    if (parentSpanId === null || !known.has(parentSpanId)) tops.push(span)
    else {
      const siblings = children.get(parentSpanId)
      if (siblings === undefined) children.set(parentSpanId, [span])
      else siblings.push(span)
    }
  }
  const placed = new Map<T, Placed<T>>()
  for (const top of tops) place(top, children, placed)
  // What is left are circles: no top leads to them.
  for (const span of spans) if (!placed.has(span)) place(span, children, placed)
  return [...placed.values()]
}

/** Takes the children it places out of `children`: of spans of one id only the first has them. No recursion: traces are as deep as they like. */
function place<T extends TreeSpan>(top: T, children: Map<string, T[]>, placed: Map<T, Placed<T>>): void {
  const waiting: Placed<T>[] = [{ span: top, depth: 0 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { span, depth } = next
    if (placed.has(span)) continue
    placed.set(span, next)
    const inside = children.get(span.spanId) ?? []
    children.delete(span.spanId)
    for (const child of inside.reverse()) waiting.push({ span: child, depth: depth + 1 })
  }
}
