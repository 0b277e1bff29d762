import { connectionProblem } from '../../connection-problem.ts'
import { formatBytes } from '../../text-table.ts'

const TIMEOUT_MS = 1500
/** A service's own is about 30 KiB; something else may answer there. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/** Where a service answers, and what opens it. */
export interface LookedAtService {
  /** Ends in a slash. Undefined where none is named. */
  readonly url: URL | undefined
  /** Where it asks for one. */
  readonly accessToken: string | undefined
}

/** What a service says of itself, as lines; or why it does not. Never throws. */
export async function lookAtService({ url, accessToken }: LookedAtService): Promise<string> {
  if (url === undefined) return 'Service: HTTP_PORT=0 does not say where one answers; --url does'
  const shown = url.href.replace(/\/$/, '')
  try {
    const text = await readMetrics(url, accessToken)
    return typeof text === 'string'
      ? `Service at ${shown}\n  ${describeMetrics(text)}`
      : `Service at ${shown}\n  ${text.problem}`
  } catch (error) {
    return `Service: none answers at ${shown}\n  ${connectionProblem(error)}`
  }
}

/** Of one that answers, but not with them, what is in the way. */
async function readMetrics(
  url: URL,
  accessToken: string | undefined,
): Promise<string | { readonly problem: string }> {
  const response = await fetch(new URL('metrics', url), {
    headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const { status } = response
  if (status !== 200) await response.body?.cancel()
  if (status === 401 && accessToken === undefined) return { problem: 'it wants a token: set ACCESS_TOKEN' }
  if (status === 401) return { problem: 'it does not know the token of ACCESS_TOKEN' }
  if (status === 403) return { problem: 'the token of ACCESS_TOKEN may not read: set one that may' }
  if (status !== 200) throw new Error(`/metrics answers ${status}`)
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    if (text.length > MAX_ANSWER_BYTES) throw new Error('/metrics answers more than 4 MiB')
  }
  return text
}

/** @throws Error for the metrics of another program. */
function describeMetrics(text: string): string {
  const bytes = sum(text, 'in_flight_bytes')
  const limit = sum(text, 'in_flight_limit_bytes')
  if (bytes === undefined || limit === undefined) throw new Error('what answers there is no observatory')
  const paused = sum(text, 'backpressure_paused_seconds_total') ?? 0
  const bodies = sum(text, 'otlp_bodies_bytes')
  const parts = [
    `in flight ${formatBytes(bytes)} of ${formatBytes(limit)}`,
    `reading paused ${paused.toFixed(1)} s so far`,
    ...(bodies === undefined ? [] : [`OTLP bodies ${formatBytes(bodies)}`]),
  ]
  return parts.join(', ')
}

/** Of all samples of a metric. */
function sum(text: string, name: string): number | undefined {
  let total: number | undefined
  for (const [, value] of text.matchAll(new RegExp(`^observatory_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm')))
    total = (total ?? 0) + Number(value)
  return total
}
