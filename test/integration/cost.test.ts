import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readPrices } from '../../src/read-prices.ts'
import { eventually } from '../helpers/eventually.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const folder = mkdtempSync(join(tmpdir(), 'prices-'))
const pricesFile = join(folder, 'prices.yaml')
const laterPricesFile = join(folder, 'later.yaml')
let app: TestService

beforeAll(async () => {
  writeFileSync(pricesFile, 'models: [{ models: [own-model*], prices: [{ input: 2.50, output: 10 }] }]')
  writeFileSync(
    laterPricesFile,
    `models:
  - models: [own-model*]
    prices: [{ input: 1.25, output: 10 }]
  - models: [new-model]
    prices: [{ input: 100, output: 100 }]`,
  )
  app = await startTestService({ PRICES_FILE: pricesFile, BATCH_MAX_AGE_MS: '5' })
})
afterAll(async () => {
  await app?.close()
  rmSync(folder, { recursive: true })
})

const usage = (model: string, more: Readonly<Record<string, unknown>> = {}) => ({
  'gen_ai.request.model': model,
  'gen_ai.usage.input_tokens': 1000,
  'gen_ai.usage.output_tokens': 100,
  ...more,
})

interface StoredCost extends Record<string, unknown> {
  readonly cost: string | null
  readonly cost_is_computed: boolean | null
}

/** Stores one span with these attributes, as an entry of JSON or of flat fields. */
async function store(attributes: Readonly<Record<string, unknown>>, form: 'json' | 'flat' = 'json') {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  const startTimeUnixNano = `${Date.now()}000000`
  const stream = `${app.prefix}:traces`
  const span = { traceId, spanId, name: 'call', startTimeUnixNano }
  if (form === 'json') await app.redis.xadd(stream, '*', 'json', JSON.stringify({ ...span, attributes }))
  else
    await app.redis.xadd(
      stream,
      '*',
      ...Object.entries({ ...span, ...attributes })
        .flat()
        .map(String),
    )
  await eventually(async () => expect(await costOf(traceId)).toBeDefined())
  return traceId
}

async function costOf(traceId: string): Promise<StoredCost | undefined> {
  const [row] = await app.query<StoredCost>(
    'select cost::text, cost_is_computed from spans where trace_id = $1',
    [traceId],
  )
  return row
}

const storedCost = async (...args: Parameters<typeof store>) => costOf(await store(...args))

function run(...args: string[]): RunningCommand {
  return new RunningCommand([...args, '--database-url', app.databaseUrl], { cwd: folder })
}

describe('at ingest, the cost of a call', () => {
  test.each(['json', 'flat'] as const)(
    'is computed by the price of its model, in the %s form',
    async (form) => {
      expect(await storedCost(usage('own-model-1'), form)).toEqual({ cost: '0.0035', cost_is_computed: true })
    },
  )

  test('that was sent is kept', async () => {
    const cost = await storedCost(usage('own-model-1', { 'gen_ai.usage.cost': 0.5 }))
    expect(cost).toEqual({ cost: '0.5', cost_is_computed: false })
  })

  test('is that of calls alone, not of the agents around them', async () => {
    const agent = usage('own-model-1', { 'gen_ai.operation.name': 'invoke_agent' })
    expect(await storedCost(agent)).toEqual({ cost: null, cost_is_computed: null })
  })

  test('of an unknown model is unknown: counted, and named by doctor', async () => {
    const name = `unheard-of\u001b[31m-${randomBytes(4).toString('hex')}`
    expect(await storedCost(usage(name))).toEqual({ cost: null, cost_is_computed: null })
    const metrics = await (await app.get('/metrics')).text()
    expect(Number(/^observatory_unpriced_calls_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0)
    const doctor = await run('doctor').finished
    expect(doctor.stdout).toContain(`${name.replace('\u001b', '\\x1b')} (unknown provider, 1 calls)`)
    expect(doctor.stdout).toContain('PRICES_FILE')
  })
})

describe('observatory reprice', () => {
  test('computes costs anew, keeps those that were sent, and changes nothing the second time', async () => {
    const priced = await store(usage('own-model-1'))
    const sent = await store(usage('own-model-1', { 'gen_ai.usage.cost': 0.5 }))
    const unpriced = await store(usage('new-model'))
    const agent = await store(usage('new-model', { 'gen_ai.operation.name': 'invoke_agent' }))
    const reprice = (...flags: string[]) =>
      run('reprice', '--from', '-1h', '--prices-file', laterPricesFile, ...flags).finished

    const dry = await reprice('--dry-run')
    expect(dry.stdout).toMatch(/would change/)
    expect(await costOf(priced)).toEqual({ cost: '0.0035', cost_is_computed: true })

    expect((await reprice()).code).toBe(0)
    expect(await costOf(priced)).toEqual({ cost: '0.00225', cost_is_computed: true })
    expect(await costOf(sent)).toEqual({ cost: '0.5', cost_is_computed: false })
    expect(await costOf(unpriced)).toEqual({ cost: '0.11', cost_is_computed: true })
    expect(await costOf(agent)).toEqual({ cost: null, cost_is_computed: null })

    const again = JSON.parse((await reprice('--json')).stdout) as Record<string, unknown>
    expect(again).toMatchObject({ changed: 0 })
    expect(again.costBefore).toBe(again.costAfter)
  })

  test('leaves calls of other times alone, and those whose price is not known now', async () => {
    const call = await store(usage('own-model-1'))
    const before = await costOf(call)
    await run('reprice', '--from', '-2h', '--to', '-1h', '--prices-file', laterPricesFile).finished
    expect(await costOf(call)).toEqual(before)
    const { stdout } = await run('reprice', '--from', '-1h').finished
    expect(stdout).toContain('are of models in no price list, and stay as they are')
    expect(await costOf(call)).toEqual(before)
  })

  test('goes through tables of many blocks', async () => {
    await app.query(
      `insert into spans (start_time, start_time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, trace_id, record_index,
                          kind, status_code, has_content, span_id, service, name, attributes, request_model, input_tokens)
       select now(), (extract(epoch from now()) * 1e9)::bigint, 0, 0, 0, 0, gen_random_uuid(), 0,
              0, 0, false, '\\x0000000000000001', 'many', 'call', jsonb_build_object('text', repeat(md5(n::text), 20)), 'own-model-9', n
         from generate_series(1, 15000) n`,
    )
    const { stdout } = await run('reprice', '--from', '-1h', '--prices-file', pricesFile, '--json').finished
    expect(Number((JSON.parse(stdout) as { changed: number }).changed)).toBeGreaterThanOrEqual(15_000)
    const [wrong] = await app.query(
      `select count(*)::int as wrong, (select count(*)::int from spans where service = 'many') as spans
         from spans where service = 'many' and cost is distinct from input_tokens * 0.0000025`,
    )
    expect(wrong).toEqual({ wrong: 0, spans: 15_000 })
  })
})

describe('a price list', () => {
  test('that is wrong keeps the service from starting, and every problem is told', async () => {
    const wrong = join(folder, 'wrong.yaml')
    writeFileSync(wrong, 'models: [{ models: [m], prices: [{ input: cheap, outptu: 1 }] }]')
    await expect(startTestService({ PRICES_FILE: wrong })).rejects.toThrow(
      /models\[0\]\.prices\[0\]\.outptu is not known.*models\[0\]\.prices\[0\]\.input must be US dollars/s,
    )
    await expect(startTestService({ PRICES_FILE: join(folder, 'none.yaml') })).rejects.toThrow(
      /none\.yaml cannot be read/,
    )
  })

  test('of the product can be read', () => {
    const names = { provider: 'openai', requestModel: 'gpt-4o', responseModel: undefined }
    const tokens = { input: 1, output: 1, cached: 0, cacheCreation: 0, reasoning: 0 }
    expect(readPrices().costOf(names, tokens, Date.now())).toBeGreaterThan(0)
  })
})
