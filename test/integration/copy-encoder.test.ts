import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dollarsOf } from '../../src/models/prices/call-cost.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { copyRows, type EncodedCopy } from '../../src/writers/copy.ts'
import { CopyBuffers } from '../../src/writers/copy-buffers.ts'
import { CopyEncoder } from '../../src/writers/copy-encoder.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

let client: pg.Client

beforeAll(async () => {
  const { databaseUrl } = await createTestDatabase()
  client = await openClient({ databaseUrl, applicationName: 'copy encoder test' })
})

afterAll(() => client?.end())

const NONE: ReadonlySet<number> = new Set()
const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

/** A column type: how a value is made and encoded, and the SQL that shows what PostgreSQL has of it, exactly. */
interface Column<T> {
  readonly type: string
  readonly value: fc.Arbitrary<T>
  readonly encode: (encoder: CopyEncoder, value: T) => void
  readonly show: (column: string) => string
  readonly expected: (value: T) => string
}

function column<T>(definition: Column<T>): Column<unknown> {
  return definition as Column<unknown>
}

/** Any Unicode but NUL, which PostgreSQL's text has no room for, in one to four bytes of UTF-8. */
const anyText = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((unit) => unit !== '\0'),
    fc.constantFrom('\\', '"', '\n', '\t', '\r', '\\N', '\\.', '😀', 'é', '\u{10ffff}', '\ufeff', '\u202e'),
  ),
})

const edgesOf = (...edges: bigint[]) => fc.constantFrom(...edges)
const anyInt64 = fc.oneof(
  edgesOf(MIN_INT64, MIN_INT64 + 1n, -1n, 0n, 1n, 2n ** 53n + 1n, MAX_INT64),
  fc.bigInt({ min: MIN_INT64, max: MAX_INT64 }),
)
const anyDouble = fc.oneof(
  fc.constantFrom(
    NaN,
    Infinity,
    -Infinity,
    0,
    -0,
    5e-324,
    -5e-324,
    2.2250738585072014e-308,
    Number.MAX_VALUE,
    0.1,
  ),
  fc.double(),
)
const anyHex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array).toString('hex'))

const anyDecimal = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constantFrom('0', '1', '10', '9999', '10000', '100000000'),
      fc.bigInt({ min: 0n, max: 10n ** 30n }).map(String),
    ),
    fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 40 }),
  )
  .map(([sign, whole, fraction]) => `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`)

/** PostgreSQL knows no negative zero. */
const decimalShown = (decimal: string) => (/^-[0.]*$/.test(decimal) ? decimal.slice(1) : decimal)

function doubleBits(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}

function floorMicros(unixNano: bigint): bigint {
  return (unixNano - (((unixNano % 1000n) + 1000n) % 1000n)) / 1000n
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

const arrayShown = (elements: readonly string[]) => `{${elements.join(',')}}`

const COLUMNS: Readonly<Record<string, Column<unknown>>> = {
  text: column({
    type: 'text',
    value: anyText,
    encode: (encoder, value) => encoder.text(value),
    show: (name) => `encode(convert_to(${name}, 'UTF8'), 'hex')`,
    expected: (value) => Buffer.from(value, 'utf8').toString('hex'),
  }),
  jsonb: column({
    type: 'jsonb',
    value: fc
      .anything({
        key: anyText,
        values: [
          anyText,
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          fc.boolean(),
          fc.constant(null),
        ],
        withNullPrototype: false,
        maxDepth: 3,
      })
      .map((value) => JSON.stringify(value)),
    encode: (encoder, value) => encoder.jsonb(value),
    show: (name) => `jsonb_typeof(${name})`,
    expected: (json) => jsonTypeOf(JSON.parse(json)),
  }),
  bool: column({
    type: 'boolean',
    value: fc.boolean(),
    encode: (encoder, value) => encoder.bool(value),
    show: (name) => `${name}::text`,
    expected: String,
  }),
  int2: column({
    type: 'smallint',
    value: fc.oneof(fc.constantFrom(-32_768, -1, 0, 1, 32_767), fc.integer({ min: -32_768, max: 32_767 })),
    encode: (encoder, value) => encoder.int2(value),
    show: (name) => `${name}::text`,
    expected: String,
  }),
  int4: column({
    type: 'integer',
    value: fc.oneof(fc.constantFrom(-(2 ** 31), -1, 0, 1, 2 ** 31 - 1), fc.integer()),
    encode: (encoder, value) => encoder.int4(value),
    show: (name) => `${name}::text`,
    expected: String,
  }),
  int8: column({
    type: 'bigint',
    value: fc.oneof(anyInt64, fc.maxSafeInteger()),
    encode: (encoder, value) => encoder.int8(value),
    show: (name) => `${name}::text`,
    expected: String,
  }),
  float8: column({
    type: 'double precision',
    value: anyDouble,
    encode: (encoder, value) => encoder.float8(value),
    show: (name) => `encode(float8send(${name}), 'hex')`,
    expected: doubleBits,
  }),
  timestamptz: column({
    type: 'timestamptz',
    value: fc.oneof(
      anyInt64,
      edgesOf(
        -1n,
        -999n,
        -1000n,
        -1001n,
        0n,
        1n,
        999n,
        1000n,
        946_684_799_999_999_999n,
        946_684_800_000_000_000n,
      ),
    ),
    encode: (encoder, value) => encoder.timestamptz(value),
    show: (name) => `(extract(epoch from ${name}) * 1000000)::bigint::text`,
    expected: (value) => String(floorMicros(value)),
  }),
  uuid: column({
    type: 'uuid',
    value: anyHex(16),
    encode: (encoder, value) => encoder.hex(value),
    show: (name) => `replace(${name}::text, '-', '')`,
    expected: (value) => value,
  }),
  hex: column({
    type: 'bytea',
    value: fc.oneof(
      anyHex(8),
      fc.uint8Array().map((array) => Buffer.from(array).toString('hex').toUpperCase()),
    ),
    encode: (encoder, value) => encoder.hex(value),
    show: (name) => `encode(${name}, 'hex')`,
    expected: (value) => value.toLowerCase(),
  }),
  bytea: column({
    type: 'bytea',
    value: fc.uint8Array({ maxLength: 300 }),
    encode: (encoder, value) => encoder.bytea(value),
    show: (name) => `replace(encode(${name}, 'hex'), E'\\n', '')`,
    expected: (value) => Buffer.from(value).toString('hex'),
  }),
  numeric: column({
    type: 'numeric',
    value: anyDecimal,
    encode: (encoder, value) => encoder.numeric(value),
    show: (name) => `${name}::text`,
    expected: decimalShown,
  }),
  numericOfPicos: column({
    type: 'numeric',
    value: fc.oneof(
      fc.maxSafeNat(),
      fc.tuple(fc.nat({ max: 9000 }), fc.nat({ max: 12 })).map(([digits, zeros]) => digits * 10 ** zeros),
    ),
    encode: (encoder, value) => encoder.numericOfPicos(value),
    show: (name) => `${name}::text`,
    expected: dollarsOf,
  }),
  float8Array: column({
    type: 'double precision[]',
    value: fc.array(anyDouble, { maxLength: 8 }),
    encode: (encoder, value) => encoder.float8Array(value),
    show: (name) =>
      `(select array_agg(encode(float8send(e), 'hex') order by n) from unnest(${name}) with ordinality as u(e, n))::text`,
    expected: (value) => arrayShown(value.map(doubleBits)),
  }),
  int8Array: column({
    type: 'bigint[]',
    value: fc.array(anyInt64, { maxLength: 8 }),
    encode: (encoder, value) => encoder.int8Array(value),
    show: (name) => `${name}::text`,
    expected: (value) => arrayShown(value.map(String)),
  }),
}

/** Types that encode `undefined` as null by themselves. */
const NULLABLE = new Set([
  'text',
  'jsonb',
  'int4',
  'int8',
  'float8',
  'hex',
  'uuid',
  'bytea',
  'float8Array',
  'int8Array',
  'numeric',
])

/** Encodes one row a member of `rows`; `encode` writes the fields. */
function encodeRows<T>(
  target: string,
  rows: readonly T[],
  {
    fields,
    encode,
    expectedBytes = 0,
  }: { fields: number; encode: (encoder: CopyEncoder, row: T) => void; expectedBytes?: number },
): EncodedCopy {
  const encoder = new CopyEncoder(new CopyBuffers(expectedBytes, 0))
  for (const row of rows) {
    encoder.startRow(fields)
    encode(encoder, row)
  }
  return { table: target, columns: [], encoder, positions: [...rows.keys()] }
}

const RUNS = { numRuns: 30 }

describe('every type comes back from PostgreSQL as it went in', () => {
  test.each(Object.keys(COLUMNS))('%s', async (name) => {
    const { type, value, encode, show, expected } = COLUMNS[name]!
    const orNull = NULLABLE.has(name) ? fc.option(value, { nil: undefined, freq: 5 }) : value
    await client.query(`create temporary table t_${name.toLowerCase()} (n integer, v ${type})`)
    await fc.assert(
      fc.asyncProperty(fc.array(orNull, { maxLength: 40 }), async (values) => {
        const table = `t_${name.toLowerCase()}`
        await client.query(`truncate ${table}`)
        const copy = encodeRows(table, [...values.entries()], {
          fields: 2,
          encode: (encoder, [n, each]) => {
            encoder.int4(n)
            encode(encoder, each)
          },
        })
        expect(await copyRows(client, copy, NONE)).toBe(values.length)
        const { rows } = await client.query(
          `select ${show('v')} as shown, v is null as is_null from ${table} order by n`,
        )
        expect(rows.map(({ shown, is_null }) => (is_null ? null : (shown ?? '{}')))).toEqual(
          values.map((each) => (each === undefined ? null : expected(each))),
        )
      }),
      RUNS,
    )
  })

  test('jsonb, compared with what PostgreSQL itself makes of the text', async () => {
    await client.query('create temporary table t_json_text (n integer, v jsonb)')
    const json = fc.option(COLUMNS.jsonb!.value as fc.Arbitrary<string>, { nil: undefined, freq: 5 })
    await fc.assert(
      fc.asyncProperty(fc.array(json, { maxLength: 30 }), async (values) => {
        await client.query('truncate t_json_text')
        const copy = encodeRows('t_json_text', [...values.entries()], {
          fields: 2,
          encode: (encoder, [n, each]) => {
            encoder.int4(n)
            encoder.jsonb(each)
          },
        })
        await copyRows(client, copy, NONE)
        const { rows } = await client.query(
          `select v is not distinct from o.text::jsonb as same from t_json_text
             join unnest($1::int[], $2::text[]) as o (n, text) using (n)`,
          [[...values.keys()], values.map((each) => each ?? null)],
        )
        expect(rows).toEqual(values.map(() => ({ same: true })))
      }),
      RUNS,
    )
  })

  test.each([
    '0',
    '-0',
    '0.0',
    '0.1',
    '12.0340',
    '100000000',
    '10000.0001',
    '-0.00012',
    '0.00000001',
    '12345678901234567890',
    '0.00000000000000000001',
    '99999999999999999999.99999999999999999999',
  ])('the numeric %s, its scale kept', async (decimal) => {
    await client.query('create temporary table if not exists t_one_numeric (v numeric)')
    await client.query('truncate t_one_numeric')
    const encode = (encoder: CopyEncoder, value: string) => encoder.numeric(value)
    await copyRows(client, encodeRows('t_one_numeric', [decimal], { fields: 1, encode }), NONE)
    const { rows } = await client.query('select v::text as v, v = $1::numeric as equal from t_one_numeric', [
      decimal,
    ])
    expect(rows).toEqual([{ v: decimalShown(decimal), equal: true }])
  })

  test('all of them in one row, beside one another', async () => {
    const names = Object.keys(COLUMNS)
    const types = names.map((name) => `c_${name} ${COLUMNS[name]!.type}`)
    await client.query(`create temporary table t_all (n integer, ${types.join(', ')})`)
    const row = fc.tuple(...names.map((name) => COLUMNS[name]!.value))
    const shown = names.map((name) => `coalesce(${COLUMNS[name]!.show(`c_${name}`)}, '{}') as c_${name}`)
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 8 }), async (values) => {
        await client.query('truncate t_all')
        const copy = encodeRows('t_all', [...values.entries()], {
          fields: names.length + 1,
          encode: (encoder, [n, fields]) => {
            encoder.int4(n)
            names.forEach((name, index) => {
              COLUMNS[name]!.encode(encoder, fields[index])
            })
          },
        })
        await copyRows(client, copy, NONE)
        const { rows } = await client.query({
          text: `select ${shown.join(', ')} from t_all order by n`,
          rowMode: 'array',
        })
        const expected = values.map((fields) =>
          names.map((name, index) => COLUMNS[name]!.expected(fields[index])),
        )
        expect(rows).toEqual(expected)
      }),
      RUNS,
    )
  })
})

test('a timestamp before 1970 is rounded down to the microsecond, like any other', async () => {
  await client.query('create temporary table t_floor (n integer, v timestamptz)')
  const times = [-1n, -1000n, -1001n, -999n, 1999n, MIN_INT64]
  const copy = encodeRows('t_floor', [...times.entries()], {
    fields: 2,
    encode: (encoder, [n, time]) => {
      encoder.int4(n)
      encoder.timestamptz(time)
    },
  })
  await copyRows(client, copy, NONE)
  const { rows } = await client.query(
    "select to_char(v, 'YYYY-MM-DD HH24:MI:SS.US') as v from t_floor order by n",
  )
  expect(rows.map(({ v }) => v)).toEqual([
    '1969-12-31 23:59:59.999999',
    '1969-12-31 23:59:59.999999',
    '1969-12-31 23:59:59.999998',
    '1969-12-31 23:59:59.999999',
    '1970-01-01 00:00:00.000001',
    '1677-09-21 00:12:43.145224',
  ])
})

describe('the buffer', () => {
  const field = fc.oneof(
    anyText.map((text) => ({ kind: 'text' as const, text: text.repeat(200) })),
    fc.uint8Array({ maxLength: 5000 }).map((bytes) => ({ kind: 'bytea' as const, bytes })),
    fc.array(anyInt64, { maxLength: 600 }).map((counts) => ({ kind: 'int8Array' as const, counts })),
    fc
      .string({ unit: fc.constantFrom(...'123456789'), minLength: 1, maxLength: 400 })
      .map((decimal) => ({ kind: 'numeric' as const, decimal })),
    fc.constant({ kind: 'null' as const }),
  )
  type Field = typeof field extends fc.Arbitrary<infer T> ? T : never

  function encodeFields(encoder: CopyEncoder, fields: readonly Field[]): void {
    encoder.startRow(fields.length)
    for (const each of fields) {
      if (each.kind === 'text') encoder.text(each.text)
      else if (each.kind === 'bytea') encoder.bytea(each.bytes)
      else if (each.kind === 'int8Array') encoder.int8Array(each.counts)
      else if (each.kind === 'numeric') encoder.numeric(each.decimal)
      else encoder.nulls(1)
    }
  }

  test('grows in the middle of any row without a trace in what was encoded', () => {
    fc.assert(
      fc.property(fc.array(fc.array(field, { maxLength: 6 }), { maxLength: 40 }), (rows) => {
        const [small, large] = [0, 64 * 1024 * 1024].map(
          (bytes) => new CopyEncoder(new CopyBuffers(bytes, 0)),
        ) as [CopyEncoder, CopyEncoder]
        for (const encoder of [small, large]) for (const fields of rows) encodeFields(encoder, fields)
        expect(small.rows).toBe(rows.length)
        expect(small.bytes).toBe(large.bytes)
        expect(small.slice(0, rows.length).equals(large.slice(0, rows.length))).toBe(true)
      }),
      RUNS,
    )
  })

  test('is given out in runs that make up the whole', () => {
    const anyRows = fc.array(fc.array(field, { maxLength: 3 }), { maxLength: 20 })
    fc.assert(
      fc.property(anyRows, fc.array(fc.nat(20), { maxLength: 5 }), (rows, anyCuts) => {
        const encoder = new CopyEncoder(new CopyBuffers(0, 0))
        for (const fields of rows) encodeFields(encoder, fields)
        const cuts = [0, ...anyCuts.filter((cut) => cut <= rows.length), rows.length].sort((a, b) => a - b)
        const runs = cuts.slice(1).map((to, index) => encoder.slice(cuts[index]!, to))
        expect(Buffer.concat(runs).equals(encoder.slice(0, rows.length))).toBe(true)
        expect(encoder.slice(0, rows.length)).toHaveLength(encoder.bytes)
        expect(encoder.slice(rows.length, rows.length)).toHaveLength(0)
      }),
      RUNS,
    )
  })

  test('holds nothing before the first row', () => {
    const encoder = new CopyEncoder(new CopyBuffers(1024, 0))
    expect(encoder).toMatchObject({ rows: 0, bytes: 0 })
    expect(encoder.slice(0, 0)).toHaveLength(0)
  })

  test('of many megabytes arrives whole, rows larger than what is sent at once included', async () => {
    await client.query('create temporary table t_large (n integer, v text)')
    const texts = Array.from(
      { length: 40 },
      (_, n) => `${n}:${'😀é\\'.repeat(n % 7 === 0 ? 90_000 : 3_000 + n)}`,
    )
    const copy = encodeRows('t_large', [...texts.entries()], {
      fields: 2,
      expectedBytes: 1000,
      encode: (encoder, [n, text]) => {
        encoder.int4(n)
        encoder.text(text)
      },
    })
    expect(copy.encoder.bytes).toBeGreaterThan(4 * 1024 * 1024)
    await copyRows(client, copy, NONE)
    const { rows } = await client.query('select v from t_large order by n')
    expect(rows.every(({ v }, n) => v === texts[n])).toBe(true)
    expect(rows).toHaveLength(texts.length)
  })
})

test('rows to be left out are left out, wherever they are, and only they', async () => {
  await client.query('create temporary table t_skip (n integer)')
  const encode = (encoder: CopyEncoder, n: number) => encoder.int4(n)
  await fc.assert(
    fc.asyncProperty(fc.nat(30), fc.uniqueArray(fc.nat(30)), async (length, skipped) => {
      await client.query('truncate t_skip')
      const all = Array.from({ length }, (_, n) => n)
      const wanted = all.filter((n) => !skipped.includes(n))
      const copied = await copyRows(
        client,
        encodeRows('t_skip', all, { fields: 1, encode }),
        new Set(skipped),
      )
      expect(copied).toBe(wanted.length)
      const { rows } = await client.query('select n from t_skip order by ctid')
      expect(rows.map(({ n }) => n)).toEqual(wanted)
    }),
    {
      numRuns: 60,
      examples: [
        [3, [0, 1, 2]],
        [3, [0]],
        [3, [2]],
        [0, []],
      ],
    },
  )
})

test('a skipped position is the record a row is of, not the number of the row', async () => {
  await client.query('create temporary table t_positions (n integer)')
  const encode = (encoder: CopyEncoder, n: number) => encoder.int4(n)
  // The rows of a second table: only the records 3, 5 and 8 have one.
  const copy = { ...encodeRows('t_positions', [3, 5, 8], { fields: 1, encode }), positions: [3, 5, 8] }
  expect(await copyRows(client, copy, new Set([0, 1, 5]))).toBe(2)
  const { rows } = await client.query('select n from t_positions order by n')
  expect(rows).toEqual([{ n: 3 }, { n: 8 }])
})
