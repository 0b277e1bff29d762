import { messageOf } from '../../../errors.ts'
import type { Settings } from '../../../settings.ts'
import { reachableHost } from '../../reachable-host.ts'
import { formatBytes } from '../../text-table.ts'

const TIMEOUT_MS = 1500
/** A service's own is about 30 KiB; something else may answer there. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/** What a service that answers where HTTP_HOST and HTTP_PORT lead says of itself, as lines; or that none does. Never throws. */
export async function lookAtService({
  httpHost,
  httpPort,
}: Pick<Settings, 'httpHost' | 'httpPort'>): Promise<string> {
  if (httpPort === 0) return 'Service: HTTP_PORT=0 does not say where one answers'
  const url = `http://${reachableHost(httpHost)}:${httpPort}`
  try {
    return `Service at ${url}\n  ${describeMetrics(await readMetrics(url))}`
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return `Service: none answers at ${url}\n  ${messageOf(cause)}`
  }
}

async function readMetrics(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (response.status !== 200) throw new Error(`/metrics answers ${response.status}`)
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
