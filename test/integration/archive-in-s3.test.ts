import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { S3Storage } from '../../src/retention/archive/s3-storage.ts'
import { type S3Server, startS3Server } from '../helpers/s3-server.ts'

const MIB = 1024 * 1024
let server: S3Server
let storage: S3Storage

beforeAll(async () => {
  server = await startS3Server()
})
afterAll(() => server?.close())
beforeEach(() => {
  server.onRequest = () => undefined
  storage = storageOf()
})

function storageOf(more: { readonly secretAccessKey?: string } = {}): S3Storage {
  const { endpoint, keyId: accessKeyId, secretKey: secretAccessKey } = server
  return new S3Storage({
    bucket: 'telemetry',
    prefix: 'a b+c',
    endpoint,
    region: 'eu-x',
    accessKeyId,
    secretAccessKey,
    ...more,
  })
}

async function* chunks(...sizes: readonly number[]) {
  for (const [index, size] of sizes.entries()) yield Buffer.alloc(size, index + 1)
}

const read = async (path: string) => {
  const parts: Buffer[] = []
  for await (const part of storage.stream(path)) parts.push(part)
  return Buffer.concat(parts)
}

describe('files in a bucket', () => {
  test('are there as they were written, small and large, and read in parts', async () => {
    // Some of these are parts of an upload.
    for (const sizes of [[], [0], [5, 6], [3 * MIB, 3 * MIB, 3 * MIB, 9 * MIB, 1], [8 * MIB]]) {
      await storage.write('x/file=1.bin', chunks(...sizes))
      const bytes = Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, index + 1)))
      expect(server.objects.get('telemetry/a b+c/x/file=1.bin')?.equals(bytes)).toBe(true)
      expect(await storage.size('x/file=1.bin')).toBe(bytes.length)
      expect((await read('x/file=1.bin')).equals(bytes)).toBe(true)
      if (bytes.length > 6)
        expect((await storage.read('x/file=1.bin', 3, 7)).equals(bytes.subarray(3, 7))).toBe(true)
    }
    expect(await storage.size('x/none')).toBeUndefined()
  })

  test('are listed, whatever they are called and however many there are', async () => {
    const paths = Array.from({ length: 8 }, (_, index) => `list/${index}/a&b <${index}>.json`)
    for (const path of paths) await storage.write(path, chunks(1))
    await storage.write('lists/other', chunks(1))
    expect(await storage.list('list')).toEqual(paths)
    expect(await storage.list('nothing')).toEqual([])
  })

  test('are not there, and nothing of them is left, when what is written fails', async () => {
    async function* failing() {
      yield Buffer.alloc(20 * MIB)
      throw new Error('the database went away')
    }
    await expect(storage.write('failed', failing())).rejects.toThrow('the database went away')
    expect(await storage.size('failed')).toBeUndefined()
    expect(server.uploads.size).toBe(0)
  })

  test('come though the server is overloaded for a moment', async () => {
    server.failNext(503, 3)
    await storage.write('after trouble', chunks(7))
    expect(await storage.size('after trouble')).toBe(7)
  })

  test('are refused to who has another key: the message says what to look at, and no key', async () => {
    const other = storageOf({ secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/other' })
    const failed = other.write('secret', chunks(1))
    await expect(failed).rejects.toMatchObject({ code: 'ERR_SERVER_UNREACHABLE' })
    await expect(failed).rejects.toThrow(
      /^PUT s3:\/\/telemetry\/a b\+c\/secret at 127\.0\.0\.1:\d+ failed: 403 SignatureDoesNotMatch: no, "SignatureDoesNotMatch"; see ARCHIVE_URL/,
    )
    await expect(failed).rejects.not.toThrow(/wJalr/)
  })

  test('whose server is away fail with its name', async () => {
    const away = new S3Storage({
      bucket: 'b',
      prefix: '',
      endpoint: 'http://127.0.0.1:9',
      region: 'x',
      accessKeyId: 'k',
      secretAccessKey: 's',
    })
    await expect(away.size('file')).rejects.toThrow(
      /HEAD s3:\/\/b\/file at 127\.0\.0\.1:9 failed: .*(ECONNREFUSED|bad port)/,
    )
  })
})
