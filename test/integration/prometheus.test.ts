import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { findPrometheus } from '../helpers/find-prometheus.ts'
import { type RealPrometheus, SHIPPED, startPrometheus } from '../helpers/real-prometheus.ts'
import { looseSpan } from '../helpers/telemetry-chunks.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const programs = findPrometheus()
const promtool = (args: readonly string[], input?: string) =>
  execFileSync(programs?.promtool ?? '', args, { encoding: 'utf8', timeout: 30_000, ...(input && { input }) })

const RULES = readFileSync(`${SHIPPED}rules.yml`, 'utf8')
const RULE_TESTS = fileURLToPath(new URL('../prometheus/rules.test.yml', import.meta.url))
const RUNBOOK = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')
const DASHBOARD = JSON.parse(
  readFileSync(new URL('../../grafana/dashboards/pipeline.json', import.meta.url), 'utf8'),
) as { readonly uid: string; readonly panels: readonly Panel[] }
const ALERTS = [...RULES.matchAll(/- alert: (\w+)/g)].map(([, name]) => name ?? '')

/** 0 for each signal, whenever it is asked. */
const UNACCOUNTED = `sum by (signal) (observatory_records_received_total)
  - sum by (signal) (observatory_records_written_total)
  - sum by (signal) (observatory_records_dead_lettered_total)
  - sum by (signal) (observatory_records_duplicate_total)
  - sum by (signal) (observatory_records_in_flight)`

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly uid: string }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: readonly {
    readonly expr: string
    readonly exemplar?: boolean
    readonly datasource: { readonly uid: string }
  }[]
}

interface Answer {
  readonly result: readonly {
    metric: Record<string, string>
    values?: [number, string][]
    value?: [number, string]
  }[]
}

describe('the alerts', () => {
  test.skipIf(programs === undefined)(
    'are valid, and each fires when it should and not when it should not',
    () => {
      expect(promtool(['check', 'config', `${SHIPPED}prometheus.yml`])).toContain('SUCCESS')
      expect(promtool(['test', 'rules', RULE_TESTS])).toContain('SUCCESS')
      const tests = readFileSync(RULE_TESTS, 'utf8')
      for (const alert of ALERTS) {
        expect(tests).toContain(`name: ${alert} fires\n`)
        expect(tests).toContain(`name: ${alert} does not fire\n`)
      }
    },
  )

  test('have a severity, a summary, a description and a section of the runbook each', () => {
    expect(ALERTS.length).toBeGreaterThanOrEqual(13)
    for (const rule of RULES.split('- alert: ').slice(1)) {
      const name = /^\w+/.exec(rule)?.[0] ?? ''
      expect(rule).toMatch(/severity: (critical|warning|info) }/)
      expect(rule).toMatch(/ summary: .+\n +description: .+\n/)
      expect(rule).toContain(`runbook_url: docs/runbook.md#${name.toLowerCase()}\n`)
      expect(RUNBOOK).toContain(`\n## ${name}\n`)
    }
  })
})

test('the dashboard says of each panel what it shows, and in which unit', () => {
  expect(DASHBOARD.uid).toBe('observatory-pipeline')
  const panels = DASHBOARD.panels.filter(({ type }) => type !== 'row')
  expect(panels.length).toBeGreaterThan(20)
  expect(new Set(DASHBOARD.panels.map(({ id }) => id)).size).toBe(DASHBOARD.panels.length)
  for (const { title, description, fieldConfig, datasource, targets = [] } of panels) {
    expect(description, title).toMatch(/^\S.+\.$/)
    expect(fieldConfig?.defaults.unit, title).toBeTruthy()
    for (const each of [{ datasource }, ...targets])
      expect(each.datasource?.uid, title).toMatch(/^\$\{datasource\}$/)
    expect(targets.length, title).toBeGreaterThan(0)
  }
})

describe.skipIf(programs === undefined)('a Prometheus that scrapes a service at work', () => {
  let service: TestService
  let prometheus: RealPrometheus
  let loading = true
  let load: Promise<void>

  beforeAll(async () => {
    service = await startTestService()
    prometheus = await startPrometheus(programs?.prometheus ?? '', service.service.url)
    load = keepLoading()
  })
  afterAll(async () => {
    loading = false
    await load
    await prometheus?.close()
    await service?.close()
  })

  /** Good records and bad ones of each signal, and queries. */
  async function keepLoading(): Promise<void> {
    for (let round = 0; loading; round += 1) {
      const add = (signal: string, records: readonly object[]) =>
        service.redis.xadd(`${service.prefix}:${signal}`, '*', 'json', JSON.stringify(records))
      const now = Date.now()
      await add('traces', [looseSpan(`span ${round}`), looseSpan('bad', { traceId: 'x' })])
      await add('logs', [
        { service: 'api', time: now, body: 'hello' },
        { service: 'api', time: 'never' },
      ])
      await add('metrics', [{ service: 'api', name: 'queue', time: now, value: round }])
      await (await service.get('/api/v1/spans?limit=5')).text()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  const scraped = async (): Promise<string> => (await service.get('/metrics')).text()
  const instant = (query: string) => prometheus.ask<Answer>('query', { query })

  test('has it up, with no scrape that failed, and all rules evaluated', async () => {
    await eventually(async () => {
      const { activeTargets } = await prometheus.ask<{
        activeTargets: { health: string; lastError: string; labels: Record<string, string> }[]
      }>('targets')
      expect(activeTargets).toMatchObject([{ health: 'up', lastError: '', labels: { job: 'observatory' } }])
      const { groups } = await prometheus.ask<{ groups: { rules: { name: string; health: string }[] }[] }>(
        'rules',
      )
      const rules = groups.flatMap((group) => group.rules)
      expect(rules.map(({ name, health }) => [name, health])).toEqual(ALERTS.map((name) => [name, 'ok']))
    })
    await eventually(async () =>
      expect((await instant('sum(observatory_ready) + sum(observatory_build_info)')).result).toMatchObject([
        { value: [expect.any(Number), '2'] },
      ]),
    )
  })

  test('finds that received is written, dead-lettered, duplicate and in flight, in every scrape', async () => {
    const counted = await eventually(async () => {
      const query = 'sum by (signal) (observatory_records_received_total)'
      const { result } = await prometheus.ask<Answer>('query', { query: `${query} > 20` })
      expect(result.length).toBe(3)
      const dead = await instant('sum(observatory_records_dead_lettered_total) > 10')
      expect(dead.result.length).toBe(1)
      return result
    })
    expect(counted.map(({ metric }) => metric.signal).sort()).toEqual(['logs', 'metrics', 'traces'])
    const ofRange = await eventually(async () => {
      const now = Date.now() / 1000
      const range = { start: String(now - 60), end: String(now), step: '1' }
      const { result } = await prometheus.ask<Answer>('query_range', { query: UNACCOUNTED, ...range })
      expect(result.length).toBe(3)
      for (const { values = [] } of result) expect(values.length).toBeGreaterThan(2)
      return result
    })
    for (const { metric, values = [] } of ofRange)
      expect(new Set(values.map(([, value]) => value)), metric.signal).toEqual(new Set(['0']))
  })

  test('knows all metrics that the alerts name, under the names that promtool wants', async () => {
    const text = await eventually(async () => {
      const found = await scraped()
      expect(found).toContain('observatory_query_first_row_seconds_count{route="/api/v1/spans"}')
      return found
    })
    expect(promtool(['check', 'metrics'], text)).toBe('')
    for (const name of new Set(RULES.match(/observatory_\w+/g))) expect(text).toMatch(`# TYPE ${name} `)
  })

  test('can answer every query of the dashboard, with metrics that there are', async () => {
    const text = await scraped()
    for (const { title, targets = [] } of DASHBOARD.panels) {
      for (const { expr } of targets) {
        const query = expr.replaceAll(/\$(job|instance)\b/g, '.+').replaceAll('$__rate_interval', '10s')
        expect(query, title).not.toContain('$')
        await instant(query)
        for (const name of expr.match(/observatory_\w+/g) ?? [])
          expect(text, title).toMatch(`# TYPE ${name.replace(/_(bucket|sum|count)$/, '')} `)
        expect(expr.split('observatory_').length, title).toBe(expr.split('job=~"$job"').length)
      }
    }
  })

  test('asks for OpenMetrics, and gets the same series as a reader of the text form', async () => {
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
    const response = await fetch(new URL('/metrics', service.service.url), { headers: { accept } })
    expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text; version=1.0.0/)
    const open = await response.text()
    expect(open).toMatch(/\n# EOF\n$/)
    expect(open).toContain('# TYPE observatory_records_received counter\nobservatory_records_received_total{')
    // The oldest entry of a batch leads to its trace.
    const exemplar =
      /^observatory_ingest_delay_seconds_bucket\{le="([^"]+)",signal="traces"\} [1-9]\d* # \{trace_id="([0-9a-f]{32})"\} ([\d.]+) \d+\.\d{3}$/m
    const [, bound, traceId, seconds] = exemplar.exec(open) ?? []
    expect(Number(seconds)).toBeLessThanOrEqual(bound === '+Inf' ? Infinity : Number(bound))
    expect(await service.query('select 1 from spans where trace_id = $1 limit 1', [traceId])).toHaveLength(1)
    const namesOf = (text: string) => [...new Set(text.match(/^\w+/gm))].sort()
    expect(namesOf(open)).toEqual(namesOf(await scraped()))
  })

  test('keeps the exemplars, by the query of the panel that shows them', async () => {
    const shown = DASHBOARD.panels.flatMap(({ targets = [] }) => targets).filter(({ exemplar }) => exemplar)
    expect(shown).toHaveLength(1)
    const query = shown[0]?.expr.replaceAll(/\$(job|instance)\b/g, '.+').replaceAll('$__rate_interval', '10s')
    await eventually(async () => {
      const now = Date.now() / 1000
      const range = { start: String(now - 60), end: String(now) }
      const kept = await prometheus.ask<{ exemplars: { labels: Record<string, string> }[] }[]>(
        'query_exemplars',
        { query: query ?? '', ...range },
      )
      const labels = kept.flatMap(({ exemplars }) => exemplars.map((each) => each.labels))
      expect(labels).toContainEqual({ trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) })
    })
  })

  test('is answered in less than 20 ms', async () => {
    // One of some hundred: what else this machine does is no part of it.
    let best = Number.POSITIVE_INFINITY
    for (let scrape = 0; scrape < 300 && best >= 20; scrape += 1) {
      const startedAt = performance.now()
      await scraped()
      best = Math.min(best, performance.now() - startedAt)
    }
    expect(best).toBeLessThan(20)
  })
})
