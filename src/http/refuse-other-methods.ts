import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from './problem.ts'

const OTHERS = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Whatever is added from now on to be read takes no other methods: they are answered 405 before anything is read of a body, and OPTIONS is told what there is. */
export function refuseOtherMethods(app: FastifyInstance): void {
  app.addHook('onRoute', ({ method, url, config, exposeHeadRoute = true }) => {
    if (method !== 'GET') return
    // A tail has no HEAD, for it has no end.
    const allowed = exposeHeadRoute ? ['GET', 'HEAD'] : ['GET']
    const { neededRole } = config ?? {}
    app.route({
      method: exposeHeadRoute ? OTHERS : [...OTHERS, 'HEAD'],
      url,
      config: neededRole === undefined ? {} : { neededRole },
      onRequest: (request, reply) => refuse(request, reply, allowed.join(', ')),
      handler: async () => undefined,
    })
  })
}

async function refuse(
  { method, url }: FastifyRequest,
  reply: FastifyReply,
  allowed: string,
): Promise<FastifyReply> {
  reply.header('allow', allowed)
  if (method === 'OPTIONS') return reply.code(204).send()
  const [path] = url.split('?')
  sendProblem(reply, {
    status: 405,
    title: 'Not this method',
    detail: `${path} is read: ${allowed}, not ${method}`,
  })
  return reply
}
