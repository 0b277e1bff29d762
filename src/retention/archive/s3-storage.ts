import { createHash } from 'node:crypto'
import { AwsClient } from 'aws4fetch'
import { messageOf, ObservatoryError } from '../../errors.ts'
import type { ArchiveStorage } from './archive-storage.ts'

export interface S3Options {
  readonly bucket: string
  /** Before every path; empty, or without slashes at its ends. */
  readonly prefix: string
  /** Without it that of AWS. */
  readonly endpoint?: string | undefined
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Of an upload in parts, what S3 takes at least is 5 MiB; what is held is one of them. */
const PART_BYTES = 8 * 1024 * 1024
/** There may be 10,000 parts: after so many they grow, and the largest file is some 440 GiB. */
const PARTS_OF_A_SIZE = 1000
/** Tries of a request whose connection was lost; those that a server answers by 5xx or 429 are tried again by the client itself. */
const TRIES = 4
const PAUSE_MS = 200
const REQUEST_TIMEOUT_MS = 300_000

interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

interface S3Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** Files in a bucket. A file appears when its last request is done: a PUT, or the end of an upload in parts. */
export class S3Storage implements ArchiveStorage {
  readonly place: string
  readonly #options: S3Options
  readonly #client: AwsClient
  readonly #root: string

  constructor(options: S3Options) {
    const { bucket, prefix, endpoint, region, accessKeyId, secretAccessKey } = options
    this.#options = options
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 5 })
    this.#root = `${(endpoint ?? `https://s3.${region}.amazonaws.com`).replace(/\/$/, '')}/${bucket}`
    this.place = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
  }

  async write(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
    let held: Buffer[] = []
    let bytes = 0
    let upload: Upload | undefined
    try {
      for await (const chunk of chunks) {
        held.push(chunk)
        bytes += chunk.length
        if (bytes < PART_BYTES * (1 + Math.floor((upload?.parts.length ?? 0) / PARTS_OF_A_SIZE))) continue
        upload ??= { id: await this.#beginUpload(path), parts: [] }
        await this.#uploadPart(path, upload, Buffer.concat(held))
        held = []
        bytes = 0
      }
      if (upload === undefined) await this.#request(path, { method: 'PUT', body: Buffer.concat(held) })
      else {
        if (bytes > 0) await this.#uploadPart(path, upload, Buffer.concat(held))
        await this.#endUpload(path, upload)
      }
    } catch (error) {
      // What was uploaded is paid for until it is called off.
      if (upload !== undefined)
        await this.#request(path, { method: 'DELETE', query: { uploadId: upload.id } }).catch(() => undefined)
      throw error
    }
  }

  async size(path: string): Promise<number | undefined> {
    const answer = await this.#request(path, { method: 'HEAD' }, [404])
    return answer.status === 404 ? undefined : Number(answer.headers.get('content-length'))
  }

  async read(path: string, start: number, end: number): Promise<Buffer> {
    if (start === end) return Buffer.alloc(0)
    const answer = await this.#request(path, {
      method: 'GET',
      headers: { range: `bytes=${start}-${end - 1}` },
    })
    const bytes = answer.body
    if (answer.status !== 206 || bytes.length !== end - start)
      throw this.#failed(
        'GET',
        path,
        `it answered ${bytes.length} bytes of ${end - start} by status ${answer.status}`,
      )
    return bytes
  }

  async *stream(path: string): AsyncGenerator<Buffer> {
    const size = (await this.size(path)) ?? 0
    for (let start = 0; start < size; start += PART_BYTES)
      yield await this.read(path, start, Math.min(size, start + PART_BYTES))
  }

  async list(folder: string): Promise<readonly string[]> {
    const { prefix } = this.#options
    const head = prefix === '' ? '' : `${prefix}/`
    const paths: string[] = []
    let token: string | undefined
    do {
      const query = {
        'list-type': '2',
        prefix: `${head}${folder === '' ? '' : `${folder}/`}`,
        ...(token !== undefined && { 'continuation-token': token }),
      }
      const xml = (await this.#request(undefined, { method: 'GET', query })).body.toString()
      for (const [, key = ''] of xml.matchAll(/<Key>([^<]*)<\/Key>/g))
        paths.push(textOf(key).slice(head.length))
      token = textOf(/<NextContinuationToken>([^<]*)</.exec(xml)?.[1] ?? '')
    } while (token !== '')
    return paths.sort()
  }

  async remove(path: string): Promise<void> {
    await this.#request(path, { method: 'DELETE' }, [404])
  }

  async #beginUpload(path: string): Promise<string> {
    const answer = await this.#request(path, { method: 'POST', query: { uploads: '' } })
    const id = /<UploadId>([^<]+)<\/UploadId>/.exec(answer.body.toString())?.[1]
    if (id === undefined) throw this.#failed('POST', path, 'it named no upload')
    return textOf(id)
  }

  async #uploadPart(path: string, { id, parts }: Upload, body: Buffer): Promise<void> {
    const query = { partNumber: String(parts.length + 1), uploadId: id }
    const answer = await this.#request(path, { method: 'PUT', query, body })
    parts.push(answer.headers.get('etag') ?? '')
  }

  async #endUpload(path: string, { id, parts }: Upload): Promise<void> {
    const list = parts.map(
      (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`,
    )
    const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`)
    const answer = await this.#request(path, { method: 'POST', query: { uploadId: id }, body })
    // S3 answers 200 before it knows.
    const text = answer.body.toString()
    if (/<Error>/.test(text)) throw this.#failed('POST', path, reasonIn(text))
  }

  /** @throws ObservatoryError ERR_SERVER_UNREACHABLE for every answer that is none of 2xx and not among `allowed`. */
  async #request(
    path: string | undefined,
    { method, query, headers, body }: S3Request,
    allowed: readonly number[] = [],
  ): Promise<S3Answer> {
    const { prefix } = this.#options
    const key = path === undefined ? '' : `/${[prefix, path].filter(Boolean).join('/')}`
    const url = new URL(`${this.#root}${key.split('/').map(encodeURIComponent).join('/')}`)
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
    const sha256 = createHash('sha256')
      .update(body ?? '')
      .digest('hex')
    for (let tried = 1; ; tried += 1) {
      let answer: S3Answer
      try {
        const response = await this.#client.fetch(url.href, {
          method,
          headers: { ...headers, 'x-amz-content-sha256': sha256 },
          ...(body !== undefined && { body: new Uint8Array(body) }),
          signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        })
        const { status, headers: answered } = response
        answer = { status, headers: answered, body: Buffer.from(await response.arrayBuffer()) }
      } catch (error) {
        if (tried === TRIES) throw this.#failed(method, path, causeOf(error), error)
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** tried))
        continue
      }
      if ((answer.status >= 200 && answer.status < 300) || allowed.includes(answer.status)) return answer
      throw this.#failed(method, path, `${answer.status} ${reasonIn(answer.body.toString())}`)
    }
  }

  #failed(method: string, path: string | undefined, what: string, cause?: unknown): ObservatoryError {
    const { host } = new URL(this.#root)
    return new ObservatoryError(
      'ERR_SERVER_UNREACHABLE',
      `${method} ${this.place}${path === undefined ? '' : `/${path}`} at ${host} failed: ${what}; see ARCHIVE_URL and ARCHIVE_S3_…`,
      { cause },
    )
  }
}

interface Upload {
  readonly id: string
  /** Tags, in order. */
  readonly parts: string[]
}

/** What S3 says in XML: a code and a message. */
function reasonIn(xml: string): string {
  const [code, message] = ['Code', 'Message'].map((name) => new RegExp(`<${name}>([^<]*)<`).exec(xml)?.[1])
  return [code, message]
    .filter(Boolean)
    .map((text) => textOf(text ?? ''))
    .join(': ')
}

function causeOf(error: unknown): string {
  return messageOf((error as { cause?: unknown }).cause ?? error)
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

function textOf(xml: string): string {
  return xml.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return ENTITIES[name] ?? whole
  })
}
