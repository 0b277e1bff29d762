/*
 * How many spans a second does the receiver take from one client process, in requests of 512? Needs a build and servers of its own, which it starts and removes.
 *
 *   npm run build && node bench/otlp-receiver/measure.mjs [--role api|all] [--seconds 10] [--cpu-prof FOLDER]
 *
 * With `api` nothing is ingested meanwhile; with `all` the same process ingests what it takes.
 */
import { spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { requestOf, Traces } from '../otlp-request.mjs'

const SPANS = 512
const IN_FLIGHT = 8
const WARM_UP_MS = 3000
const TRACE_ID_BYTES = 16

const { values: flags } = parseArgs({
  options: {
    role: { type: 'string', default: 'api' },
    seconds: { type: 'string', default: '10' },
    'cpu-prof': { type: 'string' },
  },
})

const exported = requestOf(SPANS)
const body = Buffer.from(Traces.encode(Traces.fromObject(exported)).finish())
/** Each request is another one: the trace id of its first span is. */
const idAt = body.indexOf(Buffer.from(exported.resourceSpans[0].scopeSpans[0].spans[0].traceId, 'base64'))

const folder = await mkdtemp(join(tmpdir(), 'otlp-receiver-'))
const launcher = fileURLToPath(new URL('../../bin/observatory.js', import.meta.url))
const profile = flags['cpu-prof'] ? ['--cpu-prof', `--cpu-prof-dir=${flags['cpu-prof']}`] : []
const only = flags.role === 'all' ? [] : ['--only', 'api']
const service = spawn(
  process.execPath,
  [
    ...profile,
    launcher,
    'serve',
    ...only,
    '--data-dir',
    folder,
    '--http-port',
    '0',
    '--otlp-backlog-max-entries',
    '1000000000',
  ],
  {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
  },
)
try {
  const url = new URL('/v1/traces', await startedAt(service))
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT })
  let [taken, refused, isMeasuring] = [0, 0, false]
  let isDone = false
  const client = async () => {
    while (!isDone) {
      const status = await post(url, agent)
      if (!isMeasuring) continue
      if (status === 200) taken += SPANS
      else refused += 1
    }
  }
  const clients = Array.from({ length: IN_FLIGHT }, client)
  await sleep(WARM_UP_MS)
  const cpu = cpuOf(service.pid)
  const from = performance.now()
  isMeasuring = true
  await sleep(Number(flags.seconds) * 1000)
  isMeasuring = false
  const seconds = (performance.now() - from) / 1000
  const used = cpuOf(service.pid) - cpu
  isDone = true
  await Promise.all(clients)
  agent.destroy()
  const rate = Math.round(taken / seconds)
  console.log(
    `${rate} spans/s taken (${SPANS} a request, ${body.length} bytes, ${IN_FLIGHT} in flight), role ${flags.role}, refused ${refused}`,
  )
  console.log(
    `service: ${((used / taken) * 1e6).toFixed(1)} us of processor time a span, ${(used / seconds).toFixed(2)} of a processor`,
  )
} finally {
  service.kill('SIGTERM')
  await new Promise((resolve) => service.once('exit', resolve))
  await rm(folder, { recursive: true, force: true })
}

function post(url, agent) {
  const sent = Buffer.from(body)
  randomFillSync(sent, idAt, TRACE_ID_BYTES)
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-length': sent.length }
    const outgoing = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    })
    outgoing.once('error', reject).end(sent)
  })
}

function startedAt(child) {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr.setEncoding('utf8').on('data', (more) => {
      text += more
      const line = text.split('\n').find((each) => each.includes('"msg":"started"'))
      if (line !== undefined) resolve(JSON.parse(line).url)
    })
    child.once('exit', () => reject(new Error(`the service ended:\n${text}`)))
  })
}

/** Seconds of processor time (fields 14 and 15 of proc(5)'s stat, in hundredths). */
function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
