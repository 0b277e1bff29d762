import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Problem, sendProblem } from '../problem.ts'
import { mayAsk, type NeededRole } from './access-role.ts'
import type { AccessTokens } from './access-tokens.ts'
import { hostNameOf, isLoopback } from './host-names.ts'
import { RateLimiter } from './rate-limiter.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may ask it; without it whoever may read. */
    readonly neededRole?: NeededRole
  }
}

export interface GuardOptions {
  readonly tokens: AccessTokens
  /** The address that is listened on. */
  readonly host: string
  /** Names by which it is asked beside those of this machine. */
  readonly allowedHosts: readonly string[]
  /** Requests a second of each client; 0 is no limit. */
  readonly requestsPerSecond: number
}

const CHALLENGES = ['Bearer realm="LLM Observatory"', 'Basic realm="LLM Observatory", charset="UTF-8"']

/**
 * Looks at every request before anything of it is done: by which name it asks, who asks and how often.
 *
 * The name is looked at where only this machine is listened to: else a page from anywhere could have its own name point to it, and read what is here (DNS rebinding).
 */
export function guardRoutes(app: FastifyInstance, options: GuardOptions): void {
  const { tokens, requestsPerSecond } = options
  const limiter = requestsPerSecond > 0 ? new RateLimiter(requestsPerSecond) : undefined
  app.addHook('onRequest', (request, reply, done) => {
    const wrongHost = problemOfHost(request, options)
    if (wrongHost !== undefined) return sendProblem(reply, wrongHost)
    const caller = tokens.callerOf(request.headers.authorization)
    const key = caller?.id ?? request.ip
    const waitSeconds = limiter?.waitOf(key) ?? 0
    if (waitSeconds > 0) return sendTooMany(reply, { waitSeconds, requestsPerSecond })
    limiter?.take(key)
    const { neededRole = 'read' } = request.routeOptions.config
    if (tokens.areNone || neededRole === 'anyone') return done()
    if (caller === undefined) {
      reply.header('www-authenticate', CHALLENGES)
      return sendProblem(reply, problemOfToken(request))
    }
    if (mayAsk(caller.role, neededRole)) return done()
    const detail = `the token has the role ${caller.role}, and this needs ${neededRole} or admin (ACCESS_TOKENS)`
    sendProblem(reply, { status: 403, title: 'Not with this token', detail })
  })
}

function problemOfHost(
  { headers }: FastifyRequest,
  { host, allowedHosts }: GuardOptions,
): Problem | undefined {
  if (!isLoopback(host) && allowedHosts.length === 0) return undefined
  const name = hostNameOf(headers.host)
  if (name !== undefined && (isLoopback(name) || allowedHosts.includes(name))) return undefined
  const detail = `it is not asked by the name ${JSON.stringify(headers.host ?? '')}: where that is right, set HTTP_ALLOWED_HOSTS`
  return { status: 421, title: 'Another host', detail }
}

function problemOfToken({ headers }: FastifyRequest): Problem {
  const detail =
    headers.authorization === undefined
      ? 'a token is needed: send Authorization: Bearer <token> (one of ACCESS_TOKENS)'
      : 'the token is none of those that are known (ACCESS_TOKENS)'
  return { status: 401, title: 'Who asks?', detail }
}

function sendTooMany(
  reply: FastifyReply,
  { waitSeconds, requestsPerSecond }: { readonly waitSeconds: number; readonly requestsPerSecond: number },
): void {
  reply.header('retry-after', Math.ceil(waitSeconds))
  const detail = `a client may ask ${requestsPerSecond} times a second (HTTP_RATE_LIMIT); come again later`
  sendProblem(reply, { status: 429, title: 'Too many requests', detail })
}
