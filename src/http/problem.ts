import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../logger.ts'

/** A refusal that names the parameter and says what would be right. */
export class BadParameter extends Error {
  readonly statusCode = 400
  readonly parameter: string

  constructor(parameter: string, detail: string) {
    super(detail)
    this.name = 'BadParameter'
    this.parameter = parameter
  }
}

/** Answers every error as `application/problem+json` (RFC 9457). What went wrong inside is logged, not told. */
export function problemHandler(logger: Logger) {
  return (error: FastifyError | BadParameter, request: FastifyRequest, reply: FastifyReply): void => {
    const status = error.statusCode ?? 500
    if (status >= 500) logger.error({ url: request.url, err: error }, 'a request failed')
    const problem = {
      type: 'about:blank',
      title: status >= 500 ? 'The request could not be answered' : 'The request is not valid',
      status,
      detail: status >= 500 ? 'The service has logged the cause; try again later' : detailOf(error),
      ...(error instanceof BadParameter && { parameter: error.parameter }),
    }
    void reply.code(status).type('application/problem+json').send(JSON.stringify(problem))
  }
}

/** Ajv says "must NOT have additional properties" of an unknown parameter: name it. */
function detailOf(error: FastifyError | BadParameter): string {
  const failure = 'validation' in error ? error.validation?.[0] : undefined
  if (failure === undefined) return error.message
  const unknown = failure.params.additionalProperty
  if (typeof unknown === 'string') return `${unknown} is not a parameter of this route`
  return `${failure.instancePath.slice(1) || 'The query'} ${failure.message ?? 'is not valid'}`
}
