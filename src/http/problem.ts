import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { codeOf, isRetryable, ObservatoryError, sqlStateOf } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { BadParameter } from '../repositories/bad-parameter.ts'

/** What an answer that is no success says: RFC 9457, with the parameter at fault where there is one. */
export interface Problem {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly parameter?: string
}

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'
/** When to come again, in seconds: a lost PostgreSQL is mostly one that restarts. */
const RETRY_AFTER_SECONDS = 5

/** Answers with a problem. */
export function sendProblem(reply: FastifyReply, problem: Problem): void {
  // Of the body that this stands instead of.
  reply.removeHeader('content-encoding')
  if (problem.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS)
  void reply.code(problem.status).type(PROBLEM_TYPE).send(textOf(problem))
}

/** Answers every error as a problem. What went wrong inside is logged, not told. */
export function problemHandler(logger: Logger) {
  return (error: FastifyError | BadParameter, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemOf(error)
    const clientIsGone = reply.raw.destroyed
    if (problem.status >= 500 && !clientIsGone) {
      const fields = { url: request.url, err: error }
      if (problem.status === 500) logger.error(fields, 'a request failed')
      else logger.warn(fields, 'a request could not be answered now')
    }
    sendProblem(reply, problem)
  }
}

/** Answers what is not even a request of HTTP that Node.js takes, as a problem, and closes the connection. */
export function answerClientError(error: Error, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const problem = clientProblemOf(codeOf(error))
  const body = textOf(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function textOf(problem: Problem): string {
  return JSON.stringify({ type: 'about:blank', ...problem })
}

/** What an error is to a client. What went wrong inside is not told. */
export function problemOf(error: FastifyError | BadParameter | Error): Problem {
  if (error instanceof BadParameter) {
    const { message: detail, parameter } = error
    return { status: 400, title: NOT_VALID, detail, parameter }
  }
  if ('statusCode' in error && error.statusCode !== undefined && error.statusCode < 500) {
    return { status: error.statusCode, title: NOT_VALID, ...faultOf(error) }
  }
  if (error instanceof ObservatoryError && error.code === 'ERR_QUERY_TIMEOUT') {
    return { status: 504, title: TOO_LONG, detail: error.message }
  }
  if (sqlStateOf(error) === QUERY_CANCELED) {
    const detail =
      'PostgreSQL ended it (STATEMENT_TIMEOUT_MS): ask for a shorter time range, or for less with limit'
    return { status: 504, title: TOO_LONG, detail }
  }
  if (isRetryable(error)) {
    return {
      status: 503,
      title: 'The request cannot be answered now',
      detail: 'PostgreSQL or Redis is away, or all connections to it are busy; try again later',
    }
  }
  return {
    status: 500,
    title: 'The request could not be answered',
    detail: 'The service has logged the cause; try again later',
  }
}

const QUERY_CANCELED = '57014'
const TOO_LONG = 'The query took too long'
const NOT_VALID = 'The request is not valid'

/** What Ajv finds wrong, and with what: {@link AJV_OPTIONS} make it say so. */
interface Failure {
  readonly instancePath: string
  readonly keyword: string
  readonly message?: string
  readonly params: Readonly<Record<string, unknown>>
  readonly parentSchema?: {
    readonly description?: string
    readonly properties?: object
    readonly patternProperties?: object
  }
  readonly data?: unknown
}

/** An unknown parameter is refused, never dropped. */
export const AJV_OPTIONS = { removeAdditional: false, coerceTypes: true, verbose: true } as const

function faultOf(error: FastifyError): Pick<Problem, 'detail' | 'parameter'> {
  const failure: Failure | undefined = error.validation?.[0]
  if (failure === undefined) return { detail: error.message }
  const unknown = failure.params.additionalProperty
  if (typeof unknown === 'string') return { detail: unknownDetail(unknown, failure), parameter: unknown }
  const parameter = failure.instancePath.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')
  return { detail: `${parameter} ${rightOf(failure)}`, parameter }
}

function unknownDetail(unknown: string, { parentSchema = {} }: Failure): string {
  const known = Object.keys(parentSchema.properties ?? {})
  if (parentSchema.patternProperties !== undefined) known.push('attr.<name>')
  return `${unknown} is not a parameter of this route: ${known.length === 0 ? 'it has none' : `those are ${known.join(', ')}`}`
}

/** What would be right, where Ajv tells it in words of schemas. */
function rightOf({ keyword, params, parentSchema, data, message }: Failure): string {
  if (Array.isArray(data)) return 'must be given once'
  if (keyword === 'enum') return `must be one of ${(params.allowedValues as readonly string[]).join(', ')}`
  if (keyword !== 'pattern') return message ?? 'is not valid'
  return String(data).includes('\0')
    ? 'must have no NUL character'
    : `is not valid: ${parentSchema?.description ?? message}`
}

function clientProblemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const detail = 'The URL and the headers together may have 16 KiB'
    return { status: 431, title: 'The request is too long', detail }
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const detail = 'The request did not come to its end in time'
    return { status: 408, title: 'The request is not complete', detail }
  }
  return { status: 400, title: 'The request is not valid', detail: 'This is not HTTP/1.1' }
}
