import { once } from 'node:events'
import { connect } from 'node:tls'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import type { Tls } from '../../../src/http/access/read-tls.ts'
import { renewTls } from '../../../src/http/access/renew-tls.ts'
import { createLogger } from '../../../src/logger.ts'
import { eventually } from '../../helpers/eventually.ts'
import {
  LOCALHOST_CERTIFICATE,
  LOCALHOST_KEY,
  OTHER_CERTIFICATE,
  OTHER_KEY,
} from '../../helpers/tls-certificates.ts'

const ONE: Tls = { cert: Buffer.from(LOCALHOST_CERTIFICATE), key: Buffer.from(LOCALHOST_KEY) }
const OTHER: Tls = { cert: Buffer.from(OTHER_CERTIFICATE), key: Buffer.from(OTHER_KEY) }

let app: FastifyInstance
let onDisk: () => Tls
let lines: string[]
afterEach(() => app.close())

async function serve(): Promise<void> {
  lines = []
  onDisk = () => ONE
  app = Fastify({ https: ONE }) as unknown as FastifyInstance
  const logger = createLogger({ level: 'info', pretty: false, write: (line) => lines.push(line) })
  renewTls(app, { tls: ONE, read: () => onDisk(), logger, intervalMs: 10 })
  await app.listen({ port: 0, host: '127.0.0.1' })
}

/** The name on the certificate that a new connection gets. */
async function nameShown(): Promise<string> {
  const { port } = app.server.address() as { port: number }
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { CN } = socket.getPeerCertificate().subject
  socket.destroy()
  return String(CN)
}

test('a certificate that changes on disk is that of the next connections', async () => {
  await serve()
  expect(await nameShown()).toBe('localhost')
  onDisk = () => OTHER
  await eventually(async () => expect(await nameShown()).toBe('other'))
  expect(lines.filter((line) => line.includes('the certificate has changed'))).toHaveLength(1)
})

test('one that is no good is told, and the old one stays until there is a good one', async () => {
  await serve()
  onDisk = () => {
    throw new Error('no such file')
  }
  await eventually(() => expect(lines.join()).toContain('the old one stays'))
  expect(await nameShown()).toBe('localhost')
  onDisk = () => OTHER
  await eventually(async () => expect(await nameShown()).toBe('other'))
})
