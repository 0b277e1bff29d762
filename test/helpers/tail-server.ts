import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One answer of a server that speaks the contract of the live tail: written by hand, event by event. */
export class TailAnswer {
  readonly request: IncomingMessage
  readonly response: ServerResponse

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request
    this.response = response
  }

  /** The parameters as they were sent, in their order. */
  get parameters(): Readonly<Record<string, string>> {
    return Object.fromEntries(new URL(this.request.url ?? '', 'http://x').searchParams)
  }

  /** Begins a tail. Unless told otherwise a client may come again at once. */
  begin(retryMs = 100): this {
    this.response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    this.response.write(`retry: ${retryMs}\n\n`)
    return this
  }

  /** @returns whether it may go on: false when the client does not read. */
  record(id: string, record: object | string): boolean {
    const json = typeof record === 'string' ? record : JSON.stringify(record)
    return this.response.write(`id: ${id}\ndata: ${json}\n\n`)
  }

  event(name: string, data: object = {}): this {
    this.response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    return this
  }

  heartbeat(): this {
    return this.event('heartbeat', { time: new Date().toISOString() })
  }

  /** Says why, and ends. */
  bye(reason: string): void {
    this.event('bye', { reason })
    this.response.end()
  }

  /** The connection is gone without a word. */
  drop(): void {
    this.response.destroy()
  }

  problem(status: number, problem: object, headers: Readonly<Record<string, string>> = {}): void {
    this.response.writeHead(status, { 'content-type': 'application/problem+json', ...headers })
    this.response.end(JSON.stringify({ type: 'about:blank', status, ...problem }))
  }
}

/** A server whose answers a test gives, one after the other; the last one for all requests that follow. */
export class TailServer {
  readonly answers: TailAnswer[] = []
  readonly #server: Server
  #script: readonly ((answer: TailAnswer) => unknown)[] = []

  private constructor() {
    this.#server = createServer((request, response) => {
      const answer = new TailAnswer(request, response)
      const index = this.answers.push(answer) - 1
      void (this.#script[index] ?? this.#script.at(-1))?.(answer)
    })
  }

  static async start(): Promise<TailServer> {
    const server = new TailServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Forgets the requests so far. */
  answer(...script: readonly ((answer: TailAnswer) => unknown)[]): void {
    this.answers.length = 0
    this.#script = script
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
