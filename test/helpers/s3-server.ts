import { createHash, createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface S3Server {
  readonly endpoint: string
  readonly keyId: string
  readonly secretKey: string
  /** By bucket and path. */
  readonly objects: ReadonlyMap<string, Buffer>
  /** Uploads in parts that were neither ended nor called off. */
  readonly uploads: ReadonlyMap<string, unknown>
  /** `PUT bucket/path?query` of every request whose signature was right. */
  readonly requests: readonly string[]
  /** Called with each of them before it is answered, and again when its work is done: what it returns is awaited. */
  onRequest: (request: string, when: 'before' | 'after') => Promise<void> | void
  /** Answers the next requests by this status. */
  failNext(status: number, times: number): void
  close(): Promise<void>
}

const ESCAPES: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&apos;',
}
/** Few, so that lists come in pages. */
const KEYS_OF_A_PAGE = 3

/**
 * As much of S3's API as archives use, over real HTTP, in memory. Every request must be signed (AWS Signature Version 4) by the one key there is, and its body be that which was signed;
 * both are computed here from the documentation, not by the library that the product signs with.
 */
export async function startS3Server(): Promise<S3Server> {
  const keyId = `AKIA${randomBytes(8).toString('hex').toUpperCase()}`
  const secretKey = randomBytes(30).toString('base64')
  const objects = new Map<string, Buffer>()
  const uploads = new Map<string, Map<number, Buffer>>()
  const requests: string[] = []
  let failures = { status: 0, left: 0 }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      if (!response.headersSent) response.writeHead(500)
      response.end(String(error))
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const url = new URL(request.url ?? '/', 'http://s3')
    const refusal = refusalOf(request, url, body)
    if (refusal !== undefined) return refuse(response, 403, refusal)
    const path = decodeURIComponent(url.pathname.slice(1))
    const described = `${request.method} ${path}${url.search}`
    requests.push(described)
    await handle.onRequest(described, 'before')
    if (failures.left > 0) {
      failures.left -= 1
      return refuse(response, failures.status, 'SlowDown')
    }
    const { status, headers, content } = perform(request, url, path, body)
    await handle.onRequest(described, 'after')
    response.writeHead(status, { 'content-length': content.length, ...headers })
    response.end(request.method === 'HEAD' ? undefined : content)
  }

  interface Answer {
    readonly status: number
    readonly headers?: Record<string, string | number>
    readonly content: Buffer
  }

  function perform(
    { method, headers }: IncomingMessage,
    { searchParams }: URL,
    path: string,
    body: Buffer,
  ): Answer {
    const ok = (content: string | Buffer = '', more: Record<string, string> = {}): Answer => ({
      status: 200,
      headers: more,
      content: Buffer.from(content),
    })
    const uploadId = searchParams.get('uploadId') ?? ''
    const parts = uploads.get(uploadId)
    if (searchParams.has('uploads')) {
      const id = randomBytes(8).toString('hex')
      uploads.set(id, new Map())
      return ok(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
    }
    if (uploadId !== '' && parts === undefined) return xmlError(404, 'NoSuchUpload')
    if (parts !== undefined && method === 'PUT') {
      parts.set(Number(searchParams.get('partNumber')), body)
      return ok('', { etag: tagOf(body) })
    }
    if (parts !== undefined && method === 'DELETE') {
      uploads.delete(uploadId)
      return { status: 204, content: Buffer.alloc(0) }
    }
    if (parts !== undefined) {
      const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]+)</g)]
      const pieces = named.map(([, number, tag]) => ({ piece: parts.get(Number(number)), tag }))
      if (pieces.some(({ piece, tag }) => piece === undefined || tagOf(piece) !== tag))
        return xmlError(400, 'InvalidPart')
      const tooSmall = pieces.slice(0, -1).some(({ piece }) => (piece?.length ?? 0) < 5 * 1024 * 1024)
      if (tooSmall) return xmlError(400, 'EntityTooSmall')
      objects.set(path, Buffer.concat(pieces.map(({ piece }) => piece ?? Buffer.alloc(0))))
      uploads.delete(uploadId)
      return ok('<CompleteMultipartUploadResult/>')
    }
    if (searchParams.get('list-type') === '2') return list(path, searchParams)
    if (method === 'PUT') {
      objects.set(path, body)
      return ok('', { etag: tagOf(body) })
    }
    if (method === 'DELETE') {
      objects.delete(path)
      return { status: 204, content: Buffer.alloc(0) }
    }
    const found = objects.get(path)
    if (found === undefined) return xmlError(404, 'NoSuchKey')
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '')
    if (range === null) return ok(found)
    return { status: 206, content: found.subarray(Number(range[1]), Number(range[2]) + 1) }
  }

  function list(bucket: string, search: URLSearchParams): Answer {
    const prefix = `${bucket}/${search.get('prefix') ?? ''}`
    const after = search.get('continuation-token') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, KEYS_OF_A_PAGE)
    const contents = page.map(
      (key) => `<Contents><Key>${escaped(key.slice(bucket.length + 1))}</Key></Contents>`,
    )
    const next =
      keys.length > page.length
        ? `<NextContinuationToken>${escaped(page.at(-1) ?? '')}</NextContinuationToken>`
        : ''
    return {
      status: 200,
      content: Buffer.from(`<ListBucketResult>${contents.join('')}${next}</ListBucketResult>`),
    }
  }

  /** Why a request is none of who has the key; undefined where it is. */
  function refusalOf({ method, headers }: IncomingMessage, url: URL, body: Buffer): string | undefined {
    const authorization =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
        headers.authorization ?? '',
      )
    if (authorization === null) return 'AccessDenied'
    const [, id, day = '', region = '', signed = '', signature] = authorization
    const names = signed.split(';')
    if (id !== keyId) return 'InvalidAccessKeyId'
    if (!['host', 'x-amz-content-sha256', 'x-amz-date'].every((name) => names.includes(name)))
      return 'AccessDenied'
    const sha256 = createHash('sha256').update(body).digest('hex')
    if (headers['x-amz-content-sha256'] !== sha256) return 'XAmzContentSHA256Mismatch'
    const encode = (text: string) =>
      encodeURIComponent(text).replaceAll(
        /[!'()*]/g,
        (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
      )
    const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort()
    const canonical = [
      method,
      decodeURIComponent(url.pathname).split('/').map(encode).join('/'),
      query.join('&'),
      ...names.map((name) => `${name}:${String(headers[name]).trim()}`),
      '',
      signed,
      sha256,
    ].join('\n')
    const date = String(headers['x-amz-date'])
    const scope = `${day}/${region}/s3/aws4_request`
    const toSign = [
      'AWS4-HMAC-SHA256',
      date,
      scope,
      createHash('sha256').update(canonical).digest('hex'),
    ].join('\n')
    const key = [day, region, 's3', 'aws4_request'].reduce<Buffer | string>(
      (secret, part) => createHmac('sha256', secret).update(part).digest(),
      `AWS4${secretKey}`,
    )
    const isRight =
      createHmac('sha256', key).update(toSign).digest('hex') === signature && date.startsWith(day)
    return isRight ? undefined : 'SignatureDoesNotMatch'
  }

  const handle: S3Server = {
    get endpoint() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    keyId,
    secretKey,
    objects,
    uploads,
    requests,
    onRequest: () => undefined,
    failNext(status, times) {
      failures = { status, left: times }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return handle
}

function refuse(response: ServerResponse, status: number, code: string): void {
  const { content } = xmlError(status, code)
  response.writeHead(status, { 'content-length': content.length })
  response.end(content)
}

function xmlError(status: number, code: string) {
  return {
    status,
    content: Buffer.from(`<Error><Code>${code}</Code><Message>no, &quot;${code}&quot;</Message></Error>`),
  }
}

function tagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}

function escaped(text: string): string {
  return text.replaceAll(/[<>&"']/g, (char) => ESCAPES[char] ?? char)
}
