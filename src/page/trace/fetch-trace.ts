import { parseJson } from '../parse-json.ts'
import type { LogRecord, Trace } from '../records.ts'

/** What became of a question. `missing` may come still: a span is stored when it has ended. */
export type TraceAnswer =
  | { readonly kind: 'found'; readonly trace: Trace }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly detail: string }

/** Asks the API for a trace. @throws only when it is aborted. */
export async function fetchTrace(traceId: string, signal: AbortSignal): Promise<TraceAnswer> {
  try {
    const answer = await fetch(`api/v1/traces/${traceId}`, { signal })
    if (answer.status === 404) return { kind: 'missing' }
    const body = parseJson(await answer.text())
    if (answer.ok) return { kind: 'found', trace: body as unknown as Trace }
    const { detail } = body as { readonly detail?: string }
    return { kind: 'failed', detail: detail ?? `The service answered ${answer.status}` }
  } catch (error) {
    if (signal.aborted) throw error
    return { kind: 'failed', detail: 'The service does not answer' }
  }
}

/** Log records of a trace, the first of them; none where they cannot be read. @throws only when it is aborted. */
export async function fetchTraceLogs(traceId: string, signal: AbortSignal): Promise<readonly LogRecord[]> {
  try {
    const answer = await fetch(`api/v1/logs?traceId=${traceId}&order=asc&limit=500`, { signal })
    if (!answer.ok) return []
    return (parseJson(await answer.text()) as unknown as { readonly data: readonly LogRecord[] }).data
  } catch (error) {
    if (signal.aborted) throw error
    return []
  }
}
