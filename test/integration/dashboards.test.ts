import { readFile } from 'node:fs/promises'
import type { FieldDef } from 'pg'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createWorkload } from '../../src/demo/workload.ts'
import { bodyWords } from '../../src/retention/body-words.ts'
import { eventually } from '../helpers/eventually.ts'
import { type GrafanaDashboard, type GrafanaPanel, readDashboards } from '../helpers/grafana-dashboard.ts'
import { expandGrafanaSql, type VariableValue } from '../helpers/grafana-sql.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { createReaderRole, type ReaderRole } from '../helpers/reader-role.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

/*
 * Every query of every dashboard that reads PostgreSQL, as Grafana would send it, by the role that Grafana has, to what the demo and some odd records left.
 */

const POSTGRES = 'grafana-postgresql-datasource'
const DAY_MS = 86_400_000
/** Some minutes about noon of the day before: what is asked for is of one partition, and there are others. */
const FROM = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS / 2)
const TO = new Date(FROM.getTime() + 300_000)
const TICK_MS = 5_000

/** Somebody's name, and a whole attack. */
const ODD = `O'Brien "x"'; drop table spans; --`
const ODD_TRACE = 'c0ffee00c0ffee00c0ffee00c0ffee00'
const HOSTILE = [ODD, `'`, `''`, `') or true --`, '"', '\\', `\\'; select 1; --`, '$1', '%', 'ä\u{1f600}']

const dashboards = (await readDashboards()).filter(({ templating }) =>
  templating.list.some(({ type, query }) => type === 'datasource' && query === POSTGRES),
)
const everyUid = (await readDashboards()).map(({ uid }) => uid)
const panels = dashboards.flatMap((dashboard) =>
  dashboard.panels.map((panel) => [`${dashboard.uid}: ${panel.title}`, dashboard, panel] as const),
)

let app: TestService
let role: ReaderRole
let reader: pg.Client

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5', ACCEPT_PAST_DAYS: '3' }, { roles: ['ingest'] })
  await sendTelemetry()
  role = await createReaderRole(app.databaseUrl)
  reader = new pg.Client({ connectionString: role.databaseUrl })
  await reader.connect()
})
afterAll(async () => {
  await reader?.end()
  await role?.drop()
  await app?.close()
})

async function sendTelemetry(): Promise<void> {
  const workload = createWorkload({ seed: 7, tracesPerSecond: 1 })
  const all = oddRecords()
  for (let ms = FROM.getTime() + TICK_MS; ms <= TO.getTime(); ms += TICK_MS) {
    const { traces, logs } = workload.generate(new Date(ms))
    all.traces.push(...traces)
    all.logs.push(...logs)
  }
  for (const [signal, records] of Object.entries(all))
    await app.redis.xadd(`${app.prefix}:${signal}`, '*', 'json', JSON.stringify(records))
  await eventually(
    async () =>
      expect(
        await app.query(
          'select (select count(*)::int from spans) as traces, (select count(*)::int from log_records) as logs',
        ),
      ).toEqual([{ traces: all.traces.length, logs: all.logs.length }]),
    { timeoutMs: 60_000 },
  )
}

/** A call by an odd user of an odd session, twice as two instrumentations tell it, and log records: one of them in quotes, one without a level. */
function oddRecords(): { traces: object[]; logs: object[] } {
  const timeUnixNano = `${FROM.getTime() + 1000}000000`
  const call = {
    traceId: ODD_TRACE,
    startTimeUnixNano: timeUnixNano,
    durationMs: 1500,
    service: ODD,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': ODD,
      'gen_ai.usage.input_tokens': 10,
      'gen_ai.usage.output_tokens': 5,
      'gen_ai.conversation.id': ODD,
      'user.id': ODD,
    },
  }
  return {
    traces: [
      { ...call, spanId: 'a'.repeat(16), name: 'outer' },
      { ...call, spanId: 'b'.repeat(16), parentSpanId: 'a'.repeat(16), name: 'inner' },
      // Its parent never came.
      { ...call, spanId: 'c'.repeat(16), parentSpanId: 'd'.repeat(16), name: 'orphan', attributes: {} },
    ],
    logs: [
      {
        timeUnixNano,
        service: ODD,
        traceId: ODD_TRACE,
        level: 'fatal',
        body: `it's a full disk, "gpt-4o" said`,
      },
      { timeUnixNano, service: ODD, body: 'no level' },
    ],
  }
}

/** All of each, no text. */
function initial({ templating }: GrafanaDashboard): Record<string, VariableValue> {
  return Object.fromEntries(
    templating.list.map(({ name, type, query, allValue }) => [
      name,
      allValue !== undefined ? { all: allValue } : type === 'custom' ? (query.split(',')[0] ?? '') : '',
    ]),
  )
}

const expand = (sql: string, variables: Record<string, VariableValue>) =>
  expandGrafanaSql(sql, { from: FROM, to: TO, intervalSeconds: 10, variables })

interface Answer {
  readonly rows: Record<string, unknown>[]
  readonly fields: FieldDef[]
}

async function ask(
  dashboard: GrafanaDashboard,
  sql: string,
  set: Record<string, VariableValue> = {},
): Promise<Answer> {
  return reader.query(expand(sql, { ...initial(dashboard), ...set }))
}

const sqlOf = ({ targets }: GrafanaPanel): string => targets[0]?.rawSql ?? ''

function find(
  uid: string,
  title: string,
): (set: Record<string, VariableValue>) => Promise<Record<string, unknown>[]> {
  const [, dashboard, panel] = panels.find(([name]) => name === `${uid}: ${title}`) ?? []
  if (dashboard === undefined || panel === undefined) throw new Error(`no panel ${title}`)
  return async (set) => (await ask(dashboard, sqlOf(panel), set)).rows
}

/** What Grafana draws as a number: bigint, integer, double precision, numeric. */
const NUMBERS = [20, 23, 701, 1700]
const TIMESTAMP = 1184
const TEXT = 25

function kindOf({ dataTypeID }: FieldDef): 'number' | 'time' | 'text' | 'other' {
  if (NUMBERS.includes(dataTypeID)) return 'number'
  return dataTypeID === TIMESTAMP ? 'time' : dataTypeID === TEXT ? 'text' : 'other'
}

/** The trace that is shown, where a dashboard shows one. */
const SHOWN = { traceId: ODD_TRACE }

const dayOf = (time: Date) => time.toISOString().slice(0, 10).replaceAll('-', '')

test('there are partitions of other days, too', async () => {
  for (const table of ['spans', 'log_records']) {
    const others = await app.query(
      'select from pg_inherits where inhparent = $1::regclass and inhrelid::regclass::text not like $2',
      [table, `%${dayOf(FROM)}`],
    )
    expect(others).not.toEqual([])
  }
})

test('there are the dashboards that are spoken of', () => {
  expect(dashboards.map(({ uid }) => uid)).toEqual([
    'observatory-llm',
    'observatory-logs',
    'observatory-traces',
  ])
})

describe.each(panels)('%s', (_, dashboard, panel) => {
  const shown = panel.title.includes('$traceId') ? SHOWN : {}

  test('has rows, and the columns that it draws', async () => {
    const { rows, fields } = await ask(dashboard, sqlOf(panel), shown)
    expect(rows).not.toEqual([])
    const kinds = fields.map(kindOf)
    expect(kinds).not.toContain('other')
    const names = fields.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    if (panel.type === 'timeseries') {
      expect(panel.targets[0]?.format).toBe('time_series')
      // A bucket in seconds, perhaps what tells the series apart, and what is drawn.
      expect(names[0]).toBe('time')
      expect(kinds[0]).toBe('number')
      const drawn = fields.slice(1).filter(({ name }) => name !== 'metric')
      expect(drawn.map(kindOf)).toEqual(drawn.map(() => 'number'))
      expect(drawn).not.toEqual([])
      for (const { time } of rows) {
        expect(Number(time) * 1000).toBeGreaterThanOrEqual(FROM.getTime() - 10_000)
        expect(Number(time) * 1000).toBeLessThanOrEqual(TO.getTime())
      }
    } else if (panel.type === 'logs') {
      // It takes the first column of times, the first of text as the body, and one of this name as the level.
      expect(kinds.slice(0, 2)).toEqual(['time', 'text'])
      expect(names).toContain('level')
    } else if (panel.type === 'stat') {
      expect(rows).toHaveLength(1)
      expect(new Set(kinds)).toEqual(new Set(['number']))
    } else expect(panel.type).toBe('table')
    // Colours of levels are those of series.
    if (panel.type !== 'timeseries')
      for (const { matcher, properties } of panel.fieldConfig.overrides) {
        expect(names).toContain(matcher.options)
        const isNumber = kinds[names.indexOf(matcher.options)] === 'number'
        if (properties.some(({ id }) => id === 'unit')) expect(isNumber, matcher.options).toBe(true)
      }
  })

  test('of no column there is nothing but null', async () => {
    const { rows, fields } = await ask(dashboard, sqlOf(panel), {
      ...shown,
      traceId: shown === SHOWN ? await someTrace() : '',
    })
    for (const { name } of fields)
      expect(
        rows.some((row) => row[name] !== null),
        name,
      ).toBe(true)
  })

  test('reads the partition of its time range alone, and no contents', async () => {
    const { rows } = await reader.query(
      `explain (format json, costs off) ${expand(sqlOf(panel), { ...initial(dashboard), ...shown })}`,
    )
    const tables = [...JSON.stringify(rows).matchAll(/"Relation Name":"(?:spans|log_records)_p(\d{8})"/g)]
    expect(new Set(tables.map(([, day]) => day))).toEqual(new Set([dayOf(FROM)]))
    expect(JSON.stringify(rows)).not.toMatch(/_contents/)
  })

  test.each(HOSTILE)('a variable with %s is looked for as a value', async (value) => {
    const set = Object.fromEntries(
      dashboard.templating.list
        .filter(({ type }) => type !== 'datasource')
        .map(({ name, multi }) => [name, multi ? [value, 'x'] : value]),
    )
    const { rows } = await ask(dashboard, sqlOf(panel), set)
    // It is all of them at once, and nothing is of an environment of that name. Totals are a row of zeros.
    for (const row of rows)
      expect(Object.values(row).filter((cell) => cell !== null && Number(cell) !== 0)).toEqual([])
    expect(rows.length).toBeLessThanOrEqual(panel.type === 'stat' ? 1 : 0)
  })
})

async function someTrace(): Promise<string> {
  const [row] = await app.query<{ trace: string }>(
    `select trace_id_hex as trace from span_view where status_message is not null and exists (
       select from llm_calls c where c.trace_id = span_view.trace_id and c.cost is not null) limit 1`,
  )
  return row?.trace ?? ''
}

const variables = dashboards.flatMap((dashboard) =>
  dashboard.templating.list
    .filter(({ type }) => type === 'query')
    .map((variable) => [`${dashboard.uid} ${variable.name}`, dashboard, variable] as const),
)

describe.each(variables)('the variable %s', (_, dashboard, { name, query }) => {
  test('has values, one column of text', async () => {
    const { rows, fields } = await ask(dashboard, query)
    expect(fields.map(kindOf)).toEqual(['text'])
    expect(rows.length).toBeGreaterThan(1)
    expect(query).toContain('$__timeFilter(')
  })

  test('chooses rows: each of its values has some, and fewer than all', async () => {
    const { rows } = await ask(dashboard, query)
    const values = rows.map((row) => String(Object.values(row)[0]))
    const [, , totals] =
      panels.find(([, of, { type }]) => of === dashboard && (type === 'stat' || type === 'timeseries')) ?? []
    if (totals === undefined) throw new Error(`${dashboard.uid} has no panel to count by`)
    const count = async (set: Record<string, VariableValue>) => {
      const { rows: counted } = await ask(dashboard, sqlOf(totals), set)
      return counted.reduce((sum, { calls, spans, records }) => sum + Number(calls ?? spans ?? records), 0)
    }
    const all = await count({})
    let sum = 0
    for (const value of values.slice(0, 8)) {
      const chosen = await count({ [name]: [value] })
      expect(chosen, value).toBeGreaterThan(0)
      expect(chosen, value).toBeLessThan(all)
      sum += chosen
    }
    expect(await count({ [name]: values.slice(0, 8) })).toBe(sum)
  })
})

test('calls are grouped by what is chosen', async () => {
  const groups = find('observatory-llm', 'By $by')
  for (const by of ['model', 'provider', 'service', 'environment', 'user', 'prompt']) {
    const rows = await groups({ by })
    expect(rows.length, by).toBeGreaterThan(1)
    expect(rows.reduce((sum, { calls }) => sum + Number(calls), 0)).toBe(
      Number((await app.query('select count(*) from llm_calls'))[0]?.count),
    )
  }
  const odd = (await groups({ by: 'user', user: [ODD] }))[0]
  expect(odd).toMatchObject({ group: ODD, calls: '2' })
})

test('charts name ten groups and sum up the others', async () => {
  const rows = await find('observatory-llm', 'Calls by $by')({ by: 'user' })
  const names = new Set(rows.map(({ metric }) => metric))
  expect(names).toContain('(others)')
  expect(names.size).toBe(11)
  expect(rows.reduce((sum, { calls }) => sum + Number(calls), 0)).toBe(
    Number((await app.query('select count(*) from llm_calls'))[0]?.count),
  )
})

test('a trace is shown as its spans call each other, those whose parent is missing beside the root', async () => {
  const trace = find('observatory-traces', 'Trace $traceId')
  const hyphens = ODD_TRACE.replace(/^(.{8})(.{4})(.{4})(.{4})/, ' $1-$2-$3-$4-').toUpperCase()
  for (const traceId of [ODD_TRACE, hyphens])
    expect((await trace({ traceId })).map(({ span }) => span)).toEqual(['outer', '· inner', 'orphan'])
  expect(await trace({ traceId: ODD_TRACE.slice(1) })).toEqual([])
})

test('newest traces are those of a session, or those with errors', async () => {
  const newest = find('observatory-traces', 'Newest traces')
  expect(await newest({ session: ODD })).toMatchObject([
    { trace: ODD_TRACE, name: 'outer', spans: '3', errors: '0', calls: '2' },
  ])
  const failed = await newest({ status: 'errors' })
  expect(failed.length).toBeGreaterThan(0)
  for (const { errors } of failed) expect(Number(errors)).toBeGreaterThan(0)
})

test.each([
  ['disk', 1],
  ['"full disk"', 1],
  ['"disk full"', 0],
  ['"disk full" or gpt-4o', 1],
  ['disk -full', 0],
  ['disk -"full disk"', 0],
  ['disk -"disk full"', 1],
])('logs are searched for %s', async (q, count) => {
  const records = await find('observatory-logs', 'Newest records')({ q, service: [ODD] })
  expect(records).toHaveLength(count)
})

test('a search uses the words that closed partitions have as an index', async () => {
  const partition = `log_records_p${dayOf(FROM)}`
  await app.query(`create index words_of_a_day on ${partition} using gin (${bodyWords()})`)
  const { rows } = await withPostgres(role.databaseUrl, async (client) => {
    await client.query('set enable_seqscan = off; set enable_indexscan = off')
    const [, dashboard, panel] = panels.find(([name]) => name === 'observatory-logs: Newest records') ?? []
    if (dashboard === undefined || panel === undefined) throw new Error('no panel of records')
    return client.query(`explain ${expand(sqlOf(panel), { ...initial(dashboard), q: '"full disk"' })}`)
  })
  expect(JSON.stringify(rows)).toContain('words_of_a_day')
})

test('logs are those of a trace, of levels, of records without one', async () => {
  const records = find('observatory-logs', 'Newest records')
  expect(await records({ traceId: ODD_TRACE })).toMatchObject([{ level: 'fatal', trace: ODD_TRACE }])
  expect(await records({ service: [ODD], level: ['unset', 'info'] })).toMatchObject([{ body: 'no level' }])
})

/** Those in use, by the names that Grafana has for them. */
const UNITS = ['none', 'short', 's', 'percentunit', 'currencyUSD']

describe.each(dashboards.map((dashboard) => [dashboard.uid, dashboard] as const))('%s', (_, dashboard) => {
  test('has panels that say what they show, do not overlap, and take their data source from the variable', () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39)
    const taken = new Set<string>()
    for (const { title, description, gridPos, targets, datasource, fieldConfig } of dashboard.panels) {
      expect(description?.length, title).toBeGreaterThan(10)
      for (const named of [datasource, ...targets.map((target) => target.datasource)])
        expect(named, title).toEqual({ type: POSTGRES, uid: `\${datasource}` })
      expect(
        targets.map(({ refId }) => refId),
        title,
      ).toEqual(['A'])
      const units = [
        fieldConfig.defaults.unit,
        ...fieldConfig.overrides.flatMap(({ properties }) =>
          properties.filter(({ id }) => id === 'unit').map(({ value }) => value),
        ),
      ]
      for (const unit of units) expect(UNITS, title).toContain(unit)
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken, `${title} at ${x},${y}`).not.toContain(`${x},${y}`)
          taken.add(`${x},${y}`)
        }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    for (const { type, datasource } of dashboard.templating.list)
      if (type === 'query') expect(datasource).toEqual({ type: POSTGRES, uid: `\${datasource}` })
  })

  test('links to dashboards that there are, and to variables that they have', () => {
    const urls = [...JSON.stringify(dashboard).matchAll(/"url":"(\/d\/[^"]+)"/g)].map(([, url = '']) => url)
    expect(urls).not.toEqual([])
    for (const url of urls) {
      const uid = url.split('/')[2] ?? ''
      expect(everyUid).toContain(uid)
      expect(url).toContain(`?\${__url_time_range}&`)
      const target = dashboards.find((each) => each.uid === uid)
      const known = target?.templating.list.map(({ name }) => name)
      for (const [, name] of url.matchAll(/[?&]var-(\w+)=/g)) expect(known).toContain(name)
    }
  })
})

test('every dashboard leads to all of them, and begins with the data source that is provisioned', async () => {
  const provisioned = ['observatory-postgres', 'observatory-prometheus']
  for (const { uid, links, tags, templating } of await readDashboards()) {
    expect(tags, uid).toEqual(['llm-observatory'])
    expect(links, uid).toMatchObject([{ type: 'dashboards', tags: ['llm-observatory'], keepTime: true }])
    const [source] = templating.list
    expect(source, uid).toMatchObject({ name: 'datasource', type: 'datasource' })
    expect(provisioned, uid).toContain(source?.current?.value)
  }
})

test('what is provisioned are both data sources, and nothing secret', async () => {
  const read = async (file: string) =>
    parse(await readFile(new URL(`../../grafana/provisioning/${file}`, import.meta.url), 'utf8'))
  const { datasources } = await read('datasources/observatory.yaml')
  expect(datasources).toMatchObject([
    {
      uid: 'observatory-postgres',
      type: POSTGRES,
      secureJsonData: { password: '$OBSERVATORY_POSTGRES_PASSWORD' },
    },
    {
      uid: 'observatory-prometheus',
      type: 'prometheus',
      // The name of the label of docs/decisions/0021-metrics.md, and a dashboard and a variable that there are.
      jsonData: {
        exemplarTraceIdDestinations: [
          { name: 'trace_id', url: '/d/observatory-traces/traces?var-traceId=$${__value.raw}' },
        ],
      },
    },
  ])
  expect(await read('dashboards/observatory.yaml')).toMatchObject({
    providers: [{ type: 'file', options: { path: '$OBSERVATORY_DASHBOARDS_PATH' } }],
  })
})
