import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from './problem.ts'

const OTHERS = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const ALLOWED = 'GET, HEAD'

/** Whatever is added from now on to be read takes no other methods: they are answered 405 before anything is read of a body, and OPTIONS is told what there is. */
export function refuseOtherMethods(app: FastifyInstance): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (method !== 'GET') return
    const { neededRole } = config ?? {}
    app.route({
      method: OTHERS,
      url,
      config: neededRole === undefined ? {} : { neededRole },
      onRequest: refuse,
      handler: async () => undefined,
    })
  })
}

async function refuse({ method, url }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  reply.header('allow', ALLOWED)
  if (method === 'OPTIONS') return reply.code(204).send()
  const [path] = url.split('?')
  sendProblem(reply, {
    status: 405,
    title: 'Not this method',
    detail: `${path} is read: ${ALLOWED}, not ${method}`,
  })
  return reply
}
