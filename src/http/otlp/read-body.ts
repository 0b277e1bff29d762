import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import type { ByteBudget } from '../../producer/byte-budget.ts'
import { BodyBuffer } from './body-buffer.ts'
import { OtlpRefusal } from './otlp-refusal.ts'

export interface BodyOptions {
  /** Of one body, after decompression. */
  readonly maxBytes: number
  /** Bytes of all bodies that are held. */
  readonly inFlight: ByteBudget
}

/** A body in memory. `release` is to be called once neither it nor what was made of it is needed. */
export interface HeldBody {
  /** Hands the bytes over, once: whoever takes them decides how long they stay. */
  take(): Buffer
  release(): void
}

/** How long what still comes of a body that was refused is read and thrown away: a client that is cut off in the middle of it may miss the answer. */
const LINGER_MS = 5000
/** What a piece of a body takes beside its bytes: one that comes byte by byte is no small one. */
const CHUNK_BYTES = 128
/** What unpacking takes, roughly: a window of 32 KiB, and buffers. */
const INFLATE_BYTES = 64 * 1024
const RETRY_AFTER_SECONDS = 1

/**
 * Reads the body of a request, decompressed. Bounded: by `maxBytes` for itself, by the budget together with all others.
 *
 * @throws OtlpRefusal 413 for one that is too large (also once it is decompressed), 415 for a compression that is not known, 400 for one that is cut or no gzip,
 * 503 where the budget is used up.
 */
export async function readBody(message: IncomingMessage, options: BodyOptions): Promise<HeldBody> {
  const body = new BodyBuffer(options.maxBytes)
  let held = 0
  const hold = (bytes: number) => {
    if (!options.inFlight.tryTake(bytes)) throw busy()
    held += bytes
  }
  const release = () => {
    options.inFlight.giveBack(held)
    held = 0
  }
  const encoding = encodingOf(message)
  try {
    const isCompressed = encoding !== 'identity'
    if (!isCompressed && Number(message.headers['content-length'] ?? 0) > options.maxBytes)
      throw tooLarge(options.maxBytes)
    if (isCompressed) hold(INFLATE_BYTES)
    for await (const chunk of decompressed(message, encoding) as AsyncIterable<Buffer>) {
      if (body.length + chunk.length > options.maxBytes) throw tooLarge(options.maxBytes)
      hold(chunk.length + CHUNK_BYTES)
      body.add(chunk)
    }
    return { take: () => body.take(), release }
  } catch (error) {
    release()
    drain(message)
    throw error instanceof OtlpRefusal ? error : unreadable(error)
  }
}

/** In lower case, by its proper name (RFC 9110, 8.4.1). */
function encodingOf({ headers }: IncomingMessage): string {
  const coding = (headers['content-encoding'] ?? '').trim().toLowerCase()
  return coding === '' ? 'identity' : coding === 'x-gzip' ? 'gzip' : coding
}

function decompressed(message: IncomingMessage, encoding: string): AsyncIterable<unknown> {
  switch (encoding) {
    case 'identity':
      // The socket is still needed for the answer.
      return message.iterator({ destroyOnReturn: false })
    case 'gzip':
      return through(message, createGunzip())
    case 'deflate':
      return through(message, createInflate())
    default:
      throw new OtlpRefusal(
        415,
        `content-encoding ${encoding.slice(0, 100)} is not read here: use gzip, deflate or none`,
      )
  }
}

/** `pipe` tells the next stream of an end, not of a client that went away. */
function through(message: IncomingMessage, inflate: Readable & NodeJS.WritableStream): Readable {
  message.once('close', () => {
    if (!message.complete) inflate.destroy(new Error('the client went away'))
  })
  return message.pipe(inflate)
}

function drain(message: IncomingMessage): void {
  message.unpipe()
  if (message.readableEnded || message.destroyed) return
  message.resume()
  const timer = setTimeout(() => message.destroy(), LINGER_MS)
  message.once('close', () => clearTimeout(timer))
}

function tooLarge(maxBytes: number): OtlpRefusal {
  return new OtlpRefusal(
    413,
    `the body has more than ${maxBytes} bytes, decompressed (OTLP_MAX_BODY_BYTES): send smaller batches`,
  )
}

function busy(): OtlpRefusal {
  return new OtlpRefusal(
    503,
    'too many bodies are in flight (OTLP_IN_FLIGHT_MAX_BYTES): send this again later',
    {
      retryAfter: RETRY_AFTER_SECONDS,
    },
  )
}

function unreadable(error: unknown): OtlpRefusal {
  return new OtlpRefusal(400, `the body cannot be read: ${(error as Error).message}`, { cause: error })
}
