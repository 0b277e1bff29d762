import { ObservatoryError } from '../../errors.ts'
import { BadParameter } from '../../repositories/bad-parameter.ts'
import { readingFlags } from '../query/flag-name.ts'
import { terminalLine } from '../terminal-text.ts'
import { TailLost } from './tail-lost.ts'

/** Answers that another attempt may change, beside those of 500 and above: timeout, too early, too many requests. */
const PASSING = new Set([408, 425, 429])
/** Of a problem. A proxy may answer with a page. */
const MAX_PROBLEM = 16 * 1024
const MAX_DETAIL = 500
const MAX_RETRY_AFTER_MS = 3_600_000

/**
 * Throws for an answer that is no tail.
 *
 * @throws ObservatoryError ERR_USAGE when the request is at fault, ERR_SERVER_UNSUITABLE when there is no tail to be had there; TailLost when it may be had later.
 */
export async function checkAnswer(response: Response, url: string): Promise<void> {
  const { status } = response
  const type = response.headers.get('content-type') ?? ''
  if (status === 200 && type.startsWith('text/event-stream')) return
  const { detail, parameter } = await problemOf(response)
  if (status === 400 && detail !== undefined) refuse(detail, parameter)
  const told = detail === undefined ? `it answers ${status}` : `it answers ${status}: ${detail}`
  if (status >= 500 || PASSING.has(status))
    throw new TailLost(told, { retryAfterMs: retryAfterOf(response.headers.get('retry-after')) })
  if (status === 401 || status === 403)
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${url} does not let you read: ${told}; set ACCESS_TOKEN`,
    )
  const what =
    status === 200 ? `it answers with ${terminalLine(type.slice(0, MAX_DETAIL)) || 'no content type'}` : told
  const hint = 'is this an "observatory serve" of this version? --url says where one is'
  throw new ObservatoryError('ERR_SERVER_UNSUITABLE', `${url} has no live tail: ${what}; ${hint}`)
}

/** What HTTP calls `from` and `history` has flags of other names here. */
function refuse(detail: string, parameter: string | undefined): never {
  const known = parameter === undefined ? undefined : OWN_FLAGS[parameter]
  if (known !== undefined)
    throw new ObservatoryError('ERR_USAGE', `${known}${detail.replace(new RegExp(`^${parameter}\\b`), '')}`)
  return readingFlags(() => {
    if (parameter === undefined) throw new ObservatoryError('ERR_USAGE', detail)
    throw new BadParameter(parameter, detail)
  })
}

const OWN_FLAGS: Readonly<Record<string, string>> = { from: '--since', history: '--lines' }

async function problemOf(
  response: Response,
): Promise<{ readonly detail: string | undefined; readonly parameter: string | undefined }> {
  const text = await readStart(response)
  try {
    const problem: unknown = JSON.parse(text)
    const { detail, parameter } = problem as { readonly detail?: unknown; readonly parameter?: unknown }
    return { detail: safe(detail), parameter: safe(parameter) }
  } catch {
    return { detail: undefined, parameter: undefined }
  }
}

function safe(text: unknown): string | undefined {
  return typeof text === 'string' && text !== '' ? terminalLine(text.slice(0, MAX_DETAIL)) : undefined
}

async function readStart({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    if (text.length > MAX_PROBLEM) break
  }
  return text
}

/** Seconds, or a date. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return ms >= 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined
}
