import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/models/dead-letter.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { insertDeadLetters } from '../../src/writers/dead-letters.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

let database: TestDatabase
let client: pg.Client

beforeEach(async () => {
  database = await createTestDatabase()
  client = await openClient({ databaseUrl: database.databaseUrl, applicationName: 'payload test' })
})
afterEach(async () => {
  await client.end()
  await database.drop()
})

const PAYLOADS = [
  Buffer.from('{"a":1}'),
  Buffer.alloc(0),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  randomBytes(3 * 1024 * 1024),
  Buffer.from('\\x41,{"}NULL'),
  // A view into a larger buffer, as fields of a reply are.
  randomBytes(2 * 1024 * 1024).subarray(100, 1_500_000),
]

function letterOf(payload: Buffer): DeadLetter {
  return {
    reason: 'not_json',
    detail: 'x',
    recordIndex: -1,
    sqlState: undefined,
    payloadForm: 'json',
    payload,
  }
}

const insert = (policy: 'keep' | 'drop') =>
  insertDeadLetters(
    client,
    { stream: 's', signal: 'logs', payload: policy },
    PAYLOADS.map((payload, index) => ({ id: { ms: 1n, seq: BigInt(index) }, letter: letterOf(payload) })),
  )
const stored = async () => {
  const text = 'select payload, payload_bytes::int as bytes from dead_letters order by entry_seq'
  return (await client.query<{ payload: Buffer | null; bytes: number }>(text)).rows
}

test('the payloads of dead letters are kept byte for byte, large ones beside small ones', async () => {
  await insert('keep')
  const rows = await stored()
  expect(rows.map(({ bytes }) => bytes)).toEqual(PAYLOADS.map((payload) => payload.length))
  expect(rows.map(({ payload }, index) => payload?.equals(PAYLOADS[index] ?? Buffer.of(0)))).toEqual(
    PAYLOADS.map(() => true),
  )
})

test('with DEAD_LETTER_PAYLOAD=drop only their sizes are', async () => {
  await insert('drop')
  expect(await stored()).toEqual(PAYLOADS.map(({ length }) => ({ payload: null, bytes: length })))
})
