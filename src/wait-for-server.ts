import { codeOf, messageOf, ObservatoryError } from './errors.ts'
import { backoffMs, sleep } from './lifecycle.ts'
import type { Logger } from './logger.ts'

export interface WaitOptions<T> {
  /** What is waited for, for messages: `PostgreSQL at db:5432`. Without secrets. */
  readonly server: string
  /** The setting to correct: `DATABASE_URL`. */
  readonly setting: string
  /** One attempt that ends within `timeoutMs`. An {@link ObservatoryError} it throws is final. */
  readonly attempt: (timeoutMs: number) => Promise<T>
  /** Whether an error of an attempt will not pass by itself: a wrong password, an unknown database. */
  readonly isRefusal: (error: unknown) => boolean
  /** Milliseconds from now until giving up; 0 tries once. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Told once, after the first failed attempt. */
  readonly log?: Pick<Logger, 'info'> | undefined
}

/** One attempt: long enough for a busy server on another continent, short enough to try again. */
const ATTEMPT_TIMEOUT_MS = 5000
/** People watch a start: no pause is longer than this. */
const PAUSE_MAX_MS = 1000

/**
 * Tries until a server answers.
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when time is up, ERR_CONFIG_INVALID when the server
 * refuses what the settings say, or whatever final error the attempt threw; `signal.reason` when aborted.
 */
export async function waitForServer<T>(options: WaitOptions<T>): Promise<T> {
  const { server, setting, timeoutMs, signal } = options
  const deadline = performance.now() + timeoutMs
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted()
    try {
      const remaining = deadline - performance.now()
      return await options.attempt(Math.max(1000, Math.min(ATTEMPT_TIMEOUT_MS, remaining)))
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof ObservatoryError) throw error
      const reason = describeFailure(error)
      if (options.isRefusal(error)) {
        throw new ObservatoryError(
          'ERR_CONFIG_INVALID',
          `${server} refused the connection: ${reason}; correct ${setting}`,
          { cause: error },
        )
      }
      const remaining = deadline - performance.now()
      if (remaining <= 0) {
        throw new ObservatoryError(
          'ERR_SERVER_UNREACHABLE',
          `${server} did not answer within ${timeoutMs} ms: ${reason}; start it, or correct ${setting}`,
          { cause: error },
        )
      }
      if (attempt === 0) options.log?.info(`waiting for ${server}: ${reason}`)
      await sleep(Math.min(backoffMs(attempt), PAUSE_MAX_MS, remaining), signal)
    }
  }
}

function describeFailure(error: unknown): string {
  const code = codeOf(error)
  const message = messageOf(error).replace(/\.$/, '')
  return code === undefined || message.includes(code) ? message : `${message} (${code})`
}

const CERTIFICATE_CODES = /^(ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/

/** Whether TLS failed on what the two sides are configured with, which waiting does not change. */
export function isTlsRefusal(error: unknown): boolean {
  return CERTIFICATE_CODES.test(codeOf(error) ?? '')
}
