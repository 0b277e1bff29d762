/** A message of PostgreSQL's protocol, or a piece of a large one, as it passed by. */
export interface PostgresMessage {
  /** Its type byte; '' for what has none: the startup packet, the answer to SSLRequest. */
  readonly type: string
  /** Of a large message only the first piece is its start. */
  readonly isStart: boolean
  /** What follows type and length. */
  readonly payload: Buffer
  /** All of it, to pass on. */
  readonly bytes: Buffer
}

const HEADER_BYTES = 5
/** Larger messages, which are CopyData alone here, are passed on in the pieces they come in. */
const WHOLE_MAX_BYTES = 64 * 1024

/** Cuts one direction of a connection into messages. */
export class PostgresMessages {
  #rest: Buffer = Buffer.alloc(0)
  /** Bytes of a large message that are still to come, and its type. */
  #pending = { type: '', bytes: 0 }
  #untagged: boolean

  /** A client's first packets have no type byte; a server's have, save for the answer to SSLRequest. */
  constructor(from: 'client' | 'server') {
    this.#untagged = from === 'client'
  }

  /** The server's next byte answers SSLRequest. */
  expectSslAnswer(): void {
    this.#pending = { type: '', bytes: 1 }
  }

  *read(chunk: Buffer): Generator<PostgresMessage> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const message = this.#pending.bytes > 0 ? this.#continue() : this.#begin()
      if (message === undefined) return
      yield message
    }
  }

  #continue(): PostgresMessage | undefined {
    if (this.#rest.length === 0) return undefined
    const bytes = this.#take(Math.min(this.#rest.length, this.#pending.bytes))
    this.#pending.bytes -= bytes.length
    return { type: this.#pending.type, isStart: false, payload: bytes, bytes }
  }

  #begin(): PostgresMessage | undefined {
    const header = this.#untagged ? HEADER_BYTES - 1 : HEADER_BYTES
    if (this.#rest.length < header) return undefined
    const type = this.#untagged ? '' : String.fromCharCode(this.#rest[0] ?? 0)
    const total = this.#rest.readUInt32BE(header - 4) + header - 4
    if (this.#rest.length < total && total <= WHOLE_MAX_BYTES) return undefined
    const bytes = this.#take(Math.min(total, this.#rest.length))
    this.#pending = { type, bytes: total - bytes.length }
    const payload = bytes.subarray(header)
    if (this.#untagged && !isSslRequest(payload)) this.#untagged = false
    return { type, isStart: true, payload, bytes }
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }
}

const SSL_REQUEST = 80_877_103

export function isSslRequest(payload: Buffer): boolean {
  return payload.length === 4 && payload.readUInt32BE(0) === SSL_REQUEST
}

/** The SQLSTATE in an ErrorResponse: the field C. */
export function sqlStateIn({ type, payload }: PostgresMessage): string | undefined {
  if (type !== 'E') return undefined
  return payload
    .toString('latin1')
    .split('\0')
    .find((field) => field.startsWith('C'))
    ?.slice(1)
}
