import type { Settings } from '../../settings.ts'
import { connectionProblem } from '../connection-problem.ts'
import { serviceUrl } from '../service-url.ts'
import { formatBytes } from '../text-table.ts'

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

/** The buffers of one process. */
interface ServiceBuffers {
  /** Read and not settled yet. */
  readonly inFlightBytes: number
  readonly inFlightLimitBytes: number
  /** How long reading was paused since the start, because the limit was reached. */
  readonly pausedSeconds: number
  /** Of export requests; null in a process without a receiver. */
  readonly otlpBodiesBytes: number | null
}

/** What a service says of itself, or why it does not. */
export type ServiceState =
  | ({ readonly url: string; readonly answers: true } & ServiceBuffers)
  | { readonly url: string | null; readonly answers: boolean; readonly problem: string }

/**
 * The service that is asked.
 *
 * @param written by `--url`; without it where the settings lead.
 * @throws ObservatoryError ERR_USAGE for what is no address of a service.
 */
export function lookedAtService(settings: Settings, written: string | undefined): LookedAtService {
  const isKnown = written !== undefined || settings.httpPort !== 0
  return { url: isKnown ? serviceUrl(written, settings) : undefined, accessToken: settings.accessToken }
}

/** Never throws. */
export async function readServiceState({ url, accessToken }: LookedAtService): Promise<ServiceState> {
  if (url === undefined)
    return { url: null, answers: false, problem: 'HTTP_PORT=0 does not say where one answers; --url does' }
  const shown = url.href.replace(/\/$/, '')
  try {
    const text = await readMetrics(url, accessToken)
    return typeof text === 'string'
      ? { url: shown, answers: true, ...buffersOf(text) }
      : { url: shown, answers: true, ...text }
  } catch (error) {
    return { url: shown, answers: false, problem: connectionProblem(error) }
  }
}

/** The state as lines. */
export function describeService(state: ServiceState): string {
  if (!('problem' in state)) return `Service at ${state.url}\n  ${describeBuffers(state)}`
  const { url, answers, problem } = state
  if (url === null) return `Service: ${problem}`
  return `${answers ? 'Service at' : 'Service: none answers at'} ${url}\n  ${problem}`
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
function buffersOf(text: string): ServiceBuffers {
  const inFlightBytes = sum(text, 'in_flight_bytes')
  const inFlightLimitBytes = sum(text, 'in_flight_limit_bytes')
  if (inFlightBytes === undefined || inFlightLimitBytes === undefined)
    throw new Error('what answers there is no observatory')
  return {
    inFlightBytes,
    inFlightLimitBytes,
    pausedSeconds: sum(text, 'backpressure_paused_seconds_total') ?? 0,
    otlpBodiesBytes: sum(text, 'otlp_bodies_bytes') ?? null,
  }
}

function describeBuffers(buffers: ServiceBuffers): string {
  const { inFlightBytes, inFlightLimitBytes, pausedSeconds, otlpBodiesBytes } = buffers
  const parts = [
    `in flight ${formatBytes(inFlightBytes)} of ${formatBytes(inFlightLimitBytes)}`,
    `reading paused ${pausedSeconds.toFixed(1)} s so far`,
    ...(otlpBodiesBytes === null ? [] : [`OTLP bodies ${formatBytes(otlpBodiesBytes)}`]),
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
