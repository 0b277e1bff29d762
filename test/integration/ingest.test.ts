import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let test: TestService

beforeAll(async () => {
  test = await startTestService()
})

afterAll(() => test?.close())

const ADDED = { timeoutMs: 5000 }

interface Letter extends Record<string, unknown> {
  record_index: number
  reason: string
  detail: string
  payload_form: string
  payload: Buffer
}

function lettersOf(entryId: string): Promise<Letter[]> {
  return test.query<Letter>(
    `select record_index, reason, detail, payload_form, payload from dead_letters
      where entry_ms || '-' || entry_seq = $1 order by record_index`,
    [entryId],
  )
}

function spanAt(index: number, fields: object = {}): object {
  return {
    traceId: index.toString(16).padStart(32, 'a'),
    spanId: index.toString(16).padStart(16, 'b'),
    name: `span ${index}`,
    startTime: new Date().toISOString(),
    ...fields,
  }
}

describe('ingest', () => {
  it('makes a row, within a second, of what a person types with redis-cli', async () => {
    const typed = ['service', 'api', 'level', 'error', 'message', 'boom', 'user.id', '42']
    await test.redis.xadd(`${test.prefix}:logs`, '*', ...typed)
    const rows = await eventually(
      async () => {
        const found = await test.query(
          `select severity_number, service, body, attributes from log_records where body = 'boom'`,
        )
        expect(found).toHaveLength(1)
        return found
      },
      { timeoutMs: 1000 },
    )
    expect(rows).toEqual([
      { severity_number: 17, service: 'api', body: 'boom', attributes: { 'user.id': '42' } },
    ])
  })

  it('makes 7 rows and 3 dead letters, each with its reason, of an array of 10 records of which 3 are bad', async () => {
    const records = Array.from({ length: 10 }, (_, index) => spanAt(index, { service: 'array' }))
    records[2] = { ...records[2], traceId: 'not hex' }
    records[5] = { ...records[5], name: undefined }
    records[9] = { ...records[9], startTime: '1999-12-31T23:59:59Z' }
    const id = (await test.redis.xadd(`${test.prefix}:traces`, '*', 'json', JSON.stringify(records))) ?? ''
    const letters = await eventually(async () => {
      const found = await lettersOf(id)
      expect(found).toHaveLength(3)
      return found
    }, ADDED)
    expect(letters.map(({ record_index, reason }) => [record_index, reason])).toEqual([
      [2, 'bad_id'],
      [5, 'missing_field'],
      [9, 'time_out_of_window'],
    ])
    expect(JSON.parse(String(letters[0]?.payload))).toEqual(records[2])
    const rows = await test.query<{ name: string; record_index: number }>(
      `select name, record_index from spans where service = 'array' order by record_index`,
    )
    expect(rows.map(({ record_index }) => record_index)).toEqual([0, 1, 3, 4, 6, 7, 8])
    expect(rows.map(({ name }) => name)).toEqual([0, 1, 3, 4, 6, 7, 8].map((index) => `span ${index}`))
  })

  it.each([
    ['text that is not JSON', ['json', '{"name":'], 'not_json', 'json', '{"name":'],
    ['a json field beside others', ['json', '{}', 'service', 'api'], 'unknown_form', 'entry'],
    ['an otlp field that holds no request', ['otlp', 'bytes'], 'not_protobuf', 'entry'],
    ['a record that is no object', ['json', '"text"'], 'wrong_type', 'record', '"text"'],
  ])('dead-letters %s', async (_what, fields, reason, form, payload = undefined as string | undefined) => {
    const id = (await test.redis.xadd(`${test.prefix}:logs`, '*', ...fields)) ?? ''
    const [letter] = await eventually(async () => {
      const found = await lettersOf(id)
      expect(found).toHaveLength(1)
      return found
    }, ADDED)
    expect(letter).toMatchObject({ reason, payload_form: form })
    if (payload !== undefined) expect(String(letter?.payload)).toBe(payload)
  })

  it('keeps the bytes of a refused flat entry, whatever is in them', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0x24])
    const id = (await test.redis.xadd(`${test.prefix}:traces`, '*', 'name', bytes)) ?? ''
    const [letter] = await eventually(async () => {
      const found = await lettersOf(id)
      expect(found).toHaveLength(1)
      return found
    }, ADDED)
    expect(letter?.payload_form).toBe('entry')
    expect(letter?.payload).toEqual(
      Buffer.concat([Buffer.from('*2\r\n$4\r\nname\r\n$5\r\n'), bytes, Buffer.from('\r\n')]),
    )
  })

  it('refuses an entry with more records than a batch may have letters, as a whole', async () => {
    const array = `[${'0,'.repeat(100_000)}0]`
    const id = (await test.redis.xadd(`${test.prefix}:logs`, '*', 'json', array)) ?? ''
    const letters = await eventually(async () => {
      const found = await lettersOf(id)
      expect(found).not.toEqual([])
      return found
    }, ADDED)
    expect(letters).toMatchObject([{ record_index: -1, reason: 'too_large', payload_form: 'json' }])
    expect(String(letters[0]?.payload)).toBe(array)
  })

  it('ingests an entry without records with nothing, and acknowledges it', async () => {
    const id = (await test.redis.xadd(`${test.prefix}:metrics`, '*', 'json', '[]')) ?? ''
    await eventually(async () => {
      const [ledger] = await test.query(
        `select entry_count, row_count, letter_count from ingest_ledger where stream = $1`,
        [`${test.prefix}:metrics`],
      )
      expect(ledger).toEqual({ entry_count: 1, row_count: 0, letter_count: 0 })
      const [pending] = await test.redis.xpending(`${test.prefix}:metrics`, 'observatory')
      expect(pending).toBe(0)
    }, ADDED)
    expect(await lettersOf(id)).toEqual([])
  })

  it('fills the typed columns from current and older attribute names, and keeps bodies beside the hot table', async () => {
    const older = {
      'gen_ai.system': 'openai',
      'gen_ai.usage.prompt_tokens': '12',
      'gen_ai.usage.completion_tokens': 7,
      'gen_ai.prompt': 'hello',
    }
    const spans = [
      spanAt(20, { service: 'gen-ai', attributes: older }),
      spanAt(21, {
        service: 'gen-ai',
        attributes: {
          'gen_ai.provider.name': 'anthropic',
          'gen_ai.usage.input_tokens': 5,
          'gen_ai.usage.output_tokens': 3,
          'gen_ai.response.time_to_first_chunk': 0.25,
          'gen_ai.input.messages': '[{"role":"user"}]',
          'gen_ai.usage.cost': 0.000125,
        },
      }),
    ]
    await test.redis.xadd(`${test.prefix}:traces`, '*', 'json', JSON.stringify(spans))
    const rows = await eventually(async () => {
      const found = await test.query(
        `select s.provider, s.input_tokens, s.output_tokens, s.time_to_first_token_ns, s.cost::text,
                s.attributes ?| array['gen_ai.prompt', 'gen_ai.input.messages'] as body_in_hot_table,
                v.attributes ?| array['gen_ai.prompt', 'gen_ai.input.messages'] as body_in_view
           from spans s join span_view v using (trace_id) where s.service = 'gen-ai' order by s.record_index`,
      )
      expect(found).toHaveLength(2)
      return found
    }, ADDED)
    const bodies = { body_in_hot_table: false, body_in_view: true }
    expect(rows).toEqual([
      {
        provider: 'openai',
        input_tokens: '12',
        output_tokens: '7',
        time_to_first_token_ns: null,
        cost: null,
        ...bodies,
      },
      {
        provider: 'anthropic',
        input_tokens: '5',
        output_tokens: '3',
        time_to_first_token_ns: '250000000',
        cost: '0.000125',
        ...bodies,
      },
    ])
  })

  it('counts every record once: received is written, dead-lettered, duplicate or in flight', async () => {
    const text = await (await test.get('/metrics')).text()
    const sum = (name: string) =>
      [...text.matchAll(new RegExp(`^observatory_records_${name}\\{.*?\\} (\\d+)$`, 'gm'))].reduce(
        (total, [, value]) => total + Number(value),
        0,
      )
    expect(sum('received_total')).toBeGreaterThan(10)
    expect(sum('received_total')).toBe(
      sum('written_total') + sum('dead_lettered_total') + sum('duplicate_total') + sum('in_flight'),
    )
  })
})
