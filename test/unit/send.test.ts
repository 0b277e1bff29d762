import { expect, test } from 'vitest'
import { readCsv } from '../../src/commands/send/csv-records.ts'
import type { InputChunk } from '../../src/commands/send/input-record.ts'
import { readNdjson } from '../../src/commands/send/ndjson-records.ts'
import { Pace } from '../../src/commands/send/pace.ts'
import { createPreparation } from '../../src/commands/send/prepare-record.ts'
import { Progress, progressLine } from '../../src/commands/send/progress.ts'
import { createMapping, type MappingOptions } from '../../src/commands/send/record-mapping.ts'
import { type SendSummary, summaryLines } from '../../src/commands/send/send-summary.ts'
import { recordTime, shiftTimes } from '../../src/commands/send/shift-times.ts'
import { sendCommand } from '../../src/commands/send.ts'

async function* chunksOf(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** Every line as `line: record` or `line: !reason`. */
async function told(chunks: AsyncIterable<InputChunk>): Promise<string[]> {
  const lines: string[] = []
  for await (const { records } of chunks) {
    for (const { line, record, rejection } of records) {
      lines.push(`${line}: ${rejection === undefined ? JSON.stringify(record) : `!${rejection.reason}`}`)
    }
  }
  return lines
}

function readTraces(
  csv: string,
  { size = 1e6, ...options }: Partial<MappingOptions> & { size?: number } = {},
) {
  const mapping = createMapping({ telemetrySignal: 'traces', ...options })
  return told(readCsv(chunksOf(csv, size), mapping.forColumns))
}

const PLAIN = { onlyMapped: true, map: ['a=attributes.a', 'b=attributes.b'] }

/** The reader must give the same whatever the chunks. */
const CHUNK_SIZES = [1, 2, 3, 7, 64, 1e6]

test.each(CHUNK_SIZES)(
  'quoted cells may hold commas, quotes and line feeds, read %i bytes at a time',
  async (size) => {
    const csv = '\uFEFF"a",b\r\n"x,1","say ""hi"""\r\n\r\n"two\nlines",3\r\n4,\r\n5,6'
    expect(await readTraces(csv, { ...PLAIN, size })).toEqual([
      '2: {"attributes":{"a":"x,1","b":"say \\"hi\\""}}',
      '4: {"attributes":{"a":"two\\nlines","b":3}}',
      '6: {"attributes":{"a":4}}',
      '7: {"attributes":{"a":5,"b":6}}',
    ])
  },
)

test.each(CHUNK_SIZES)('a row that is no CSV is refused alone, read %i bytes at a time', async (size) => {
  const csv = 'a,b\n1,2\n3,"open\n4,"5"\n6,x"y\n"7"z,8\n9\n10,11,12\n13,14\n'
  expect(await readTraces(csv, { ...PLAIN, size })).toEqual([
    '2: {"attributes":{"a":1,"b":2}}',
    '3: !unknown_form',
    '4: {"attributes":{"a":4,"b":5}}',
    '5: !unknown_form',
    '6: !unknown_form',
    '7: !unknown_form',
    '8: !unknown_form',
    '9: {"attributes":{"a":13,"b":14}}',
  ])
})

test('a quote that never closes costs its own line, not the rest of the file', async () => {
  const csv = `a,b\n1,"open\n${'2,3\n'.repeat(3)}`
  expect((await readTraces(csv, { ...PLAIN, size: 5 })).map((line) => line.slice(0, 4))).toEqual([
    '2: !',
    '3: {',
    '4: {',
    '5: {',
  ])
})

test('a line too long to be held is refused, and the next one is read', async () => {
  const long = 'x'.repeat(5_000_000)
  const mapping = createMapping({ telemetrySignal: 'logs' })
  const ndjson = `{"n":1}\n{"message":"${long}"}\n{"n":2}\n`
  expect(await told(readNdjson(chunksOf(ndjson, 65_536), mapping.forObject))).toEqual([
    '1: {"n":1}',
    '2: !too_large',
    '3: {"n":2}',
  ])
  expect(await readTraces(`a,b\n1,2\n${long},3\n4,5\n`, { ...PLAIN, size: 65_536 })).toEqual([
    '2: {"attributes":{"a":1,"b":2}}',
    '3: !too_large',
    '4: {"attributes":{"a":4,"b":5}}',
  ])
})

test.each(CHUNK_SIZES)(
  'every line of NDJSON is a record or a refusal, read %i bytes at a time',
  async (size) => {
    const ndjson = '\uFEFF{"message":"ä"}\r\n\n{bad\n[{}]\n7\n{"n":12345678901234567890}'
    const mapping = createMapping({ telemetrySignal: 'logs' })
    const lines: string[] = []
    for await (const { records } of readNdjson(chunksOf(ndjson, size), mapping.forObject)) {
      for (const { line, record, rejection } of records) {
        lines.push(`${line} ${rejection?.reason ?? Object.entries(record ?? {}).join()}`)
      }
    }
    expect(lines).toEqual([
      '1 message,ä',
      '3 not_json',
      '4 wrong_type',
      '5 wrong_type',
      '6 n,12345678901234567890',
    ])
  },
)

test('a mapped column goes where it is told, with the dots of its key kept', async () => {
  const map = [
    'when=startTime,in=attributes.gen_ai.usage.input_tokens',
    'host=resource.host.name,why=status.message',
  ]
  const set = ['name=chat,service=azure,attributes.retries=3,attributes.note=a\\,b,status.code=error']
  expect(
    await readTraces('when,in,host,why\n2023-11-16 18:15:46.6805900,374,h1,slow\n', { map, set }),
  ).toEqual([
    `2: ${JSON.stringify({
      startTime: '2023-11-16 18:15:46.6805900',
      attributes: { 'gen_ai.usage.input_tokens': 374, retries: 3, note: 'a,b' },
      resource: { 'host.name': 'h1' },
      status: { message: 'slow', code: 'error' },
      name: 'chat',
      service: 'azure',
    })}`,
  ])
})

test('an unmapped column is the field of its name, else an attribute of its name', async () => {
  const csv = 'name,durationMs,attributes.a.b,user.id,attributes\nchat,1.5,x,42,"{""c"":1}"\n'
  expect(await readTraces(csv)).toEqual([
    '2: {"name":"chat","durationMs":"1.5","attributes":{"c":1,"a.b":"x","user.id":42}}',
  ])
  expect(await readTraces(csv, { onlyMapped: true, map: ['name=name'] })).toEqual(['2: {"name":"chat"}'])
})

test('numbers become numbers, exactly, and only what is one', async () => {
  const mapping = createMapping({ telemetrySignal: 'traces' })
  const cells = ['1.5', '-7', '1e3', '9007199254740993', '007', '0x1f', '1_000', '', '1.', 'NaN', '-']
  const record = mapping.forColumns(cells.map((_, index) => `c${index}`))(cells)
  expect(record.attributes).toEqual({
    c0: 1.5,
    c1: -7,
    c2: 1000,
    c3: 9007199254740993n,
    c4: '007',
    c5: '0x1f',
    c6: '1_000',
    c8: '1.',
    c9: 'NaN',
    c10: '-',
  })
})

test('ids that consist of digits stay text', async () => {
  const mapping = createMapping({ telemetrySignal: 'traces' })
  const traceId = '12345678901234567890123456789012'
  expect(mapping.forColumns(['traceId'])([traceId])).toEqual({ traceId })
})

test('members of an NDJSON object stay what they are, but for those that are mapped', () => {
  const map = ['ts=time', 'tokens=attributes.gen_ai.usage.input_tokens']
  const mapping = createMapping({ telemetrySignal: 'logs', map, set: ['resource.env=prod'] })
  const object = { tokens: 5, ts: 1, attributes: { a: 1 }, odd: true, resource: { attributes: { b: 2 } } }
  expect(mapping.forObject(object)).toEqual({
    time: 1,
    attributes: { a: 1, 'gen_ai.usage.input_tokens': 5 },
    odd: true,
    resource: { attributes: { b: 2, env: 'prod' } },
  })
})

test('constants fit attributes that are a list of key and value, too', () => {
  const mapping = createMapping({ telemetrySignal: 'logs', set: ['attributes.a=1,attributes.b=x'] })
  expect(mapping.forObject({ attributes: [] })).toEqual({
    attributes: [
      { key: 'a', value: { doubleValue: 1 } },
      { key: 'b', value: { stringValue: 'x' } },
    ],
  })
})

test('a key called __proto__ is a key', () => {
  const mapping = createMapping({ telemetrySignal: 'logs' })
  const record = mapping.forColumns(['a', '__proto__', 'attributes.__proto__'])(['1', 'x', 'y'])
  expect(JSON.stringify(record)).toBe('{"attributes":{"a":1,"__proto__":"y"}}')
  expect(Object.getPrototypeOf(record)).toBe(Object.prototype)
})

test.each([
  ['a pair without =', { map: ['TIMESTAMP'] }, /--map: "TIMESTAMP" has no "="/],
  ['a column that is not there', { map: ['nope=name'] }, /no column "nope"; the file has a, b/],
])('%s is wrong usage', async (_name, options, message) => {
  const reading = async () => await readTraces('a,b\n1,2\n', options)
  await expect(reading()).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringMatching(message),
  })
})

test('a header that names a column twice is wrong usage', async () => {
  await expect(readTraces('a, a\n1,2\n')).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('all times of a record are shifted together, to the nanosecond', () => {
  const span: Record<string, unknown> = {
    startTime: '2023-11-16 18:15:46.680590012',
    endTimeUnixNano: 1_700_158_547_000_000_001n,
    events: [{ time: '2023-11-16T18:15:46.9Z', name: 'a' }, { name: 'without' }, 'broken'],
  }
  expect(recordTime('traces', span)).toBe(1_700_158_546_680_590_012n)
  shiftTimes('traces', span, 1_000_000_000_000_000_003n)
  expect(span).toEqual({
    startTimeUnixNano: '2700158546680590015',
    endTimeUnixNano: '2700158547000000004',
    events: [{ timeUnixNano: '2700158546900000003', name: 'a' }, { name: 'without' }, 'broken'],
  })
})

test('the time of a record is read as the decoders read it', () => {
  expect(recordTime('logs', { timestamp: 1_700_000_000, observedTimeUnixNano: '5' })).toBe(
    1_700_000_000_000_000_000n,
  )
  expect(recordTime('logs', { timeUnixNano: '0', observedTimeUnixNano: '5' })).toBe(5n)
  expect(recordTime('metrics', { time: '2023-11-16T18:15:46.5+01:00' })).toBe(1_700_154_946_500_000_000n)
  expect(recordTime('traces', { startTime: 'yesterday' })).toBeUndefined()
})

const ACCEPTED = { acceptPastDays: 30, acceptFutureDays: 1, recordMaxBytes: 1000, recordMaxDepth: 5 }

function prepareTraces(record: Record<string, unknown>, accepted: typeof ACCEPTED | undefined = ACCEPTED) {
  const now = () => new Date('2024-01-31T00:00:00Z')
  return createPreparation({ telemetrySignal: 'traces', shiftByNanos: undefined, accepted, now })(record)
}

test('a span without ids gets some, and one that has them keeps them', () => {
  const bare: Record<string, unknown> = { name: 'a', startTime: '2024-01-30T00:00:00Z' }
  expect(prepareTraces(bare)).toBeUndefined()
  expect(bare.traceId).toMatch(/^[0-9a-f]{32}$/)
  expect(bare.spanId).toMatch(/^[0-9a-f]{16}$/)
  const given = { ...bare, traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) }
  prepareTraces(given)
  expect(given).toMatchObject({ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) })
  const others = new Set(
    Array.from({ length: 1000 }, () => {
      const record: Record<string, unknown> = { name: 'a' }
      prepareTraces(record)
      return `${record.traceId} ${record.spanId}`
    }),
  )
  expect(others.size).toBe(1000)
})

test('what ingest would refuse is refused before it is sent, unless that is not wanted', () => {
  const span = { name: 'a', startTime: '2024-01-30T00:00:00Z' }
  expect(prepareTraces({ ...span, startTime: '2023-12-31T00:00:00Z' })).toMatchObject({
    reason: 'time_out_of_window',
  })
  expect(prepareTraces({ ...span, startTime: '2024-02-02T00:00:00Z' })).toMatchObject({
    reason: 'time_out_of_window',
  })
  expect(prepareTraces({ ...span, name: undefined })).toMatchObject({ reason: 'missing_field' })
  expect(prepareTraces({ ...span, attributes: { a: 'x'.repeat(2000) } })).toMatchObject({
    reason: 'too_large',
  })
  expect(prepareTraces({ ...span, name: undefined }, undefined)).toMatchObject({ reason: 'missing_field' })
})

test('a rate is kept on average, without bursts of more than a second', async () => {
  const pace = new Pace(200, new AbortController().signal)
  const start = performance.now()
  for (let n = 0; n < 40; n++) await pace.next()
  const elapsedMs = performance.now() - start
  expect(elapsedMs).toBeGreaterThan(180)
  expect(elapsedMs).toBeLessThan(1000)
})

const STATE = { noun: 'spans', records: 1500, refused: 0, bytesRead: 30, totalBytes: 40 }

test('progress says how many, how fast and how far', () => {
  expect(progressLine(STATE, 3)).toBe('1500 spans, 500/s, 75 %')
  expect(progressLine({ ...STATE, refused: 2, totalBytes: undefined }, 3)).toBe(
    '1500 spans, 500/s, refused 2',
  )
})

test('progress is drawn on a terminal only', () => {
  const drawn = { pipe: '', terminal: '' }
  const pipe = new Progress({ write: (text) => (drawn.pipe += text) })
  const terminal = new Progress({ isTTY: true, write: (text) => (drawn.terminal += text) })
  for (const progress of [pipe, terminal]) {
    progress.update(STATE)
    progress.line('a line')
    progress.clear()
  }
  expect(drawn.pipe).toBe('a line\n')
  const clear = '\r\u001b[K'
  expect(drawn.terminal.split(clear)).toEqual(['', expect.stringMatching(/^1500 spans, /), 'a line\n'])
})

const SUMMARY: SendSummary = {
  telemetrySignal: 'traces',
  sent: 19366,
  entries: 388,
  repeated: 0,
  refused: 0,
  refusedByReason: {},
  firstRefused: [],
  failed: 0,
  interrupted: false,
  error: undefined,
  seconds: 1,
}

test('the last line says what was sent and what was refused', () => {
  expect(summaryLines(SUMMARY)).toEqual(['sent 19366 spans in 388 entries, refused 0'])
  expect(summaryLines({ ...SUMMARY, sent: 1, entries: 1, interrupted: true })).toEqual([
    'sent 1 span in 1 entry, refused 0, interrupted',
  ])
  const refused = { refused: 7, refusedByReason: { bad_id: 1, not_json: 6 } }
  const firstRefused = [{ line: 3, reason: 'not_json' as const, detail: 'the text is not valid JSON' }]
  expect(summaryLines({ ...SUMMARY, ...refused, firstRefused, repeated: 2 })).toEqual([
    'sent 19366 spans in 388 entries, 2 were there already, refused 7',
    'refused: bad_id 1, not_json 6',
    '  line 3: not_json: the text is not valid JSON',
    '  and 6 more',
  ])
})

test('the command explains itself with examples', () => {
  let help = ''
  const command = sendCommand().configureOutput({ writeOut: (text) => (help += text) })
  command.exitOverride()
  expect(() => command.parse(['--help'], { from: 'user' })).toThrow()
  expect(help).toContain('--shift-to-now')
  expect(help).toContain('Examples:\n  observatory send logs')
})
