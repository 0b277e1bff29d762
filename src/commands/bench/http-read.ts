import { Agent, get, type IncomingMessage } from 'node:http'
import { ObservatoryError } from '../../errors.ts'
import { sleep } from '../../lifecycle.ts'

const agent = new Agent({ keepAlive: true, maxSockets: 64 })
const LINE_FEED = 10

/** Reads all of an answer as fast as it comes, and counts its lines. */
export async function readAll(
  url: string,
  signal: AbortSignal,
): Promise<{ readonly lines: number; readonly seconds: number; readonly firstByteMs: number }> {
  const startedMs = performance.now()
  const answer = await open(url, signal)
  let firstByteMs = 0
  let lines = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (firstByteMs === 0) firstByteMs = performance.now() - startedMs
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) lines += 1
  }
  return { lines, seconds: (performance.now() - startedMs) / 1000, firstByteMs }
}

export interface SlowReading {
  readonly bytesPerSecond: number
  readonly seconds: number
  readonly signal: AbortSignal
}

/** Reads an answer no faster than it is told, for some time, and leaves. */
export async function readSlowly(
  url: string,
  { bytesPerSecond, seconds, signal }: SlowReading,
): Promise<{ readonly bytes: number; readonly seconds: number }> {
  const answer = await open(url, signal)
  const startedMs = performance.now()
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length
    const dueMs = startedMs + (bytes / bytesPerSecond) * 1000
    if (dueMs > performance.now()) await sleep(dueMs - performance.now(), signal)
    if (performance.now() - startedMs >= seconds * 1000) break
  }
  return { bytes, seconds: (performance.now() - startedMs) / 1000 }
}

/** Reads a short answer. */
export async function readWhole(
  url: string,
  signal: AbortSignal,
): Promise<{ readonly ms: number; readonly isOk: boolean }> {
  const startedMs = performance.now()
  const answer = await request(url, signal)
  for await (const _ of answer);
  return { ms: performance.now() - startedMs, isOk: answer.statusCode === 200 }
}

async function open(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  const answer = await request(url, signal)
  if (answer.statusCode === 200) return answer
  throw new ObservatoryError('ERR_SERVER_UNSUITABLE', `the service answered ${answer.statusCode} to ${url}`)
}

function request(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => get(url, { agent, signal }, resolve).once('error', reject))
}
