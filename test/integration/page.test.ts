import { randomBytes } from 'node:crypto'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { findChromium, see, startWatchedBrowser, type WatchedBrowser } from '../helpers/watched-browser.ts'

const chromium = findChromium()
let app: TestService
let browser: WatchedBrowser

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  if (chromium !== undefined) browser = await startWatchedBrowser(chromium)
})
afterAll(async () => {
  await browser?.close()
  await app?.close()
})
afterEach(() => browser?.closePages())

const openPage = (fragment = '', options?: Parameters<WatchedBrowser['open']>[1]) =>
  browser.open(`${app.service.url}/${fragment}`, options)
const rows = (page: Page) => page.locator('.record')
const texts = (page: Page) => page.locator('.record .text').allTextContents()
const send = (stream: string, ...records: readonly object[]) =>
  app.redis.xadd(`${app.prefix}:${stream}`, '*', 'json', JSON.stringify(records))

async function stored(table: string, traceId: string, count: number): Promise<void> {
  await eventually(async () => {
    const found = await app.query(`select from ${table} where trace_id = $1`, [traceId])
    expect(found).toHaveLength(count)
  })
}

/** A trace of four spans: one asked a model, one failed. */
async function storeTrace(): Promise<string> {
  const traceId = randomBytes(16).toString('hex')
  const start = BigInt(Date.now()) * 1_000_000n
  const span = (
    id: number,
    parent: number | undefined,
    name: string,
    [from, took]: [number, number],
    more = {},
  ) => ({
    traceId,
    spanId: id.toString(16).padStart(16, '0'),
    ...(parent !== undefined && { parentSpanId: parent.toString(16).padStart(16, '0') }),
    name,
    startTimeUnixNano: String(start + BigInt(from) * 1_000_000n),
    durationMs: took,
    service: id < 3 ? 'gateway' : 'agent',
    ...more,
  })
  const said = (role: string, content: string) =>
    JSON.stringify([{ role, parts: [{ type: 'text', content }] }])
  await send(
    'traces',
    span(1, undefined, 'POST /chat', [0, 1000]),
    span(2, 1, 'authorise', [0, 50]),
    span(3, 1, 'chat gpt-4o', [100, 800], {
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.input_tokens': 1200,
        'gen_ai.usage.output_tokens': 85,
        'gen_ai.response.time_to_first_chunk': 0.25,
        'gen_ai.input.messages': said('user', 'Where is my order?'),
        'gen_ai.output.messages': said('assistant', 'On its <b>way</b>.'),
        'order.id': 1,
      },
    }),
    span(4, 1, 'save', [900, 100], { status: { code: 'error', message: 'disk full' } }),
  )
  await stored('spans', traceId, 4)
  return traceId
}

describe.skipIf(chromium === undefined)('the page', () => {
  test('shows errors of one service as they come, those of before first, and others not', async () => {
    const shop = { service: 'shop', level: 'error' }
    await send('logs', { ...shop, message: 'before' }, { ...shop, level: 'info', message: 'not an error' })
    await send('logs', { ...shop, service: 'other', message: 'of another' })
    await eventually(async () => expect(await app.query('select from log_records')).toHaveLength(3))
    const page = await openPage()
    await see(page, '.state', 'live')
    await page.getByLabel('Service').click()
    await eventually(async () => {
      const values = await page
        .locator('datalist option')
        .evaluateAll((all) => all.map((each) => each.getAttribute('value')))
      expect(values).toEqual(['other', 'shop'])
    })
    await page.getByLabel('Service').fill('shop')
    await page.getByLabel('Level').selectOption('error')
    await eventually(async () => expect(await texts(page)).toEqual(['before']))
    await see(page, '.state', 'live')
    await send('logs', { ...shop, message: 'boom' }, { ...shop, service: 'other', message: 'of another' })
    await eventually(async () => expect(await texts(page)).toEqual(['before', 'boom']))

    // Who gets the address sees the same.
    expect(new URL(page.url()).hash).toBe('#logs?service=shop&level=error')
    const shared = await openPage(new URL(page.url()).hash)
    await eventually(async () => expect(await texts(shared)).toEqual(['before', 'boom']))
    expect(await shared.getByLabel('Service').inputValue()).toBe('shop')

    // Paused, what comes is counted and waits.
    await page.locator('.records').focus()
    await page.keyboard.press('Space')
    await send('logs', { ...shop, message: 'later' })
    await see(page, '.counts', '1 new')
    expect(await texts(page)).toEqual(['before', 'boom'])
    await page.keyboard.press('Space')
    await eventually(async () => expect(await texts(page)).toEqual(['before', 'boom', 'later']))
    await page.getByRole('button', { name: 'Clear' }).click()
    expect(await texts(page)).toEqual([])
  })

  test('watches spans and metrics too, each with the filter that it has', async () => {
    const page = await openPage('#logs?service=meter&level=warn')
    await page.getByRole('button', { name: 'Metrics' }).click()
    expect(new URL(page.url()).hash).toBe('#metrics?service=meter')
    await see(page, '.state', 'live')
    await send('metrics', {
      service: 'meter',
      name: 'queue.size',
      type: 'gauge',
      value: 12.5,
      unit: '{job}',
      time: new Date().toISOString(),
    })
    await see(page, '.record', /queue\.size.*12\.5 job/)
    await page.keyboard.press('2')
    await see(page, '.state', 'live')
    const span = { traceId: randomBytes(16).toString('hex'), spanId: '1'.repeat(16), service: 'meter' }
    await send('traces', { ...span, name: 'measure', startTime: new Date().toISOString(), durationMs: 830 })
    await see(page, '.record', /830 ms.*measure/)
  })

  test('opens the trace behind a line: what it took, where its time went, what was said', async () => {
    const traceId = await storeTrace()
    await send('logs', {
      service: 'agent',
      level: 'error',
      message: 'disk full',
      traceId,
      spanId: '4'.padStart(16, '0'),
    })
    await stored('log_records', traceId, 1)
    const page = await openPage(`#logs?traceId=${traceId}`)
    await rows(page).first().click()
    await see(page, '.waterfall .name', 'POST /chat')
    expect(await page.locator('.waterfall .title').allTextContents()).toEqual([
      'POST /chat',
      'authorise',
      'chat gpt-4o',
      'save',
    ])
    expect(
      await page
        .locator('.waterfall .span')
        .evaluateAll((all) => all.map((each) => each.getAttribute('aria-level'))),
    ).toEqual(['1', '2', '2', '2'])
    const totals = await page.locator('.totals').innerText()
    expect(totals.replaceAll(/\s+/g, ' ')).toMatch(
      /1\.00 s.*Spans 4 Errors 1 Services 2 Tokens in 1,200 Tokens out 85 Cost \$0\.\d+/,
    )
    expect((await page.locator('.shares li').first().innerText()).replaceAll(/\s+/g, ' ')).toMatch(
      /^80 % chat gpt-4o 800 ms/,
    )
    // The line's own span is selected, with the line.
    await see(page, '.waterfall [aria-selected=true]', 'save')
    await see(page, '.failure', 'disk full')
    await see(page, '.record-details .body', 'disk full')
    const [left, width] = await page
      .locator('.waterfall .span')
      .nth(2)
      .locator('.bar')
      .evaluate((bar) => {
        const { left, width } = (bar as unknown as { style: Record<'left' | 'width', string> }).style
        return [left, width]
      })
    expect([left, width]).toEqual(['10%', '80%'])

    await page.keyboard.press('k')
    await see(page, '.span-details', /Tokens in\s*1,200/)
    const details = await page.locator('.span-details').innerText()
    for (const text of [
      'gpt-4o',
      'First token',
      '250 ms',
      'Where is my order?',
      'On its <b>way</b>.',
      'order.id',
    ])
      expect(details).toContain(text)

    // The address is that of the trace and the span.
    const link = new URL(page.url()).hash
    expect(link).toContain(`trace=${traceId}&span=0000000000000003`)
    const linked = await openPage(link)
    await see(linked, '.waterfall [aria-selected=true]', 'chat gpt-4o')
    await page.keyboard.press('Escape')
    expect(await page.locator('.trace-view').isVisible()).toBe(false)
    expect(await rows(page).first().isVisible()).toBe(true)
    await page.goBack()
    await see(page, '.waterfall [aria-selected=true]', 'chat gpt-4o')
  })

  test('waits for a trace whose spans are still to come', async () => {
    browser.expectComplaint('404')
    const traceId = randomBytes(16).toString('hex')
    const page = await openPage(`#logs?trace=${traceId}`, {
      // A question that is answered 404 is told to the console by the browser itself.
      prepare: async (page) => {
        await page.route(
          `**/api/v1/traces/${traceId}`,
          (route) => route.fulfill({ status: 404, body: '{}' }),
          { times: 1 },
        )
      },
    })
    await see(page, '.message-line', 'No span of this trace is stored yet')
    const start = new Date().toISOString()
    await send('traces', { traceId, spanId: '1'.repeat(16), name: 'slow', startTime: start, durationMs: 1 })
    await see(page, '.waterfall .title', 'slow')
  })

  test('says whether ingest keeps up', async () => {
    const page = await openPage()
    await see(page, '.verdict', 'keeping up')
    await send('logs', ...Array.from({ length: 300 }, (_, at) => ({ service: 'bulk', message: String(at) })))
    await eventually(async () => {
      const rate = await page.locator('.figure .value').first().textContent()
      expect(Number(rate?.replaceAll(',', ''))).toBeGreaterThan(10)
    })
    await see(page, '.figure', /0\s*waiting/)
    await page.route('**/readyz', (route) =>
      route.fulfill({ status: 200, json: { ready: false, problems: ['ingest of logs: stopped'] } }),
    )
    await see(page, '.verdict', 'not reading: ingest of logs: stopped')
    expect(await page.locator('.health').getAttribute('data-state')).toBe('stopped')
  })

  test('shows hostile text and does nothing that it says', async () => {
    const body =
      '<img src=x onerror=alert(1)><script>alert(2)</script> \u001b[31mred\u001b[0m \u202egnp.exe\u2066 a\u200bb'
    const link = 'javascript:alert(3)'
    const traceId = await storeTrace()
    const record = {
      service: link,
      level: 'error',
      message: body,
      attributes: { [body]: link, url: 'https://example.com/' },
    }
    await send('logs', { ...record, traceId, spanId: '3'.padStart(16, '0') })
    await stored('log_records', traceId, 1)
    const page = await openPage(`#logs?traceId=${traceId}`)
    const visible =
      '<img src=x onerror=alert(1)><script>alert(2)</script> \\x1b[31mred\\x1b[0m \\u{202e}gnp.exe\\u{2066} a\\u{200b}b'
    await eventually(async () => expect(await texts(page)).toEqual([visible]))
    await rows(page).first().click()
    await see(page, '.record-details .body', visible)
    await see(page, '.record-details .values', visible)
    await see(page, '.log-line', visible)
    expect(await page.locator('a, img, body script, iframe, [style*=url]').count()).toBe(0)
  })

  test('fits a narrow screen', async () => {
    const traceId = await storeTrace()
    const page = await openPage('', {
      context: { viewport: { width: 480, height: 800 }, colorScheme: 'dark' },
    })
    const widthOfAll = () => page.evaluate('document.documentElement.scrollWidth')
    await see(page, '.verdict', 'keeping up')
    await see(page, '.state', 'live')
    expect(await widthOfAll()).toBe(480)
    await page.goto(`${app.service.url}/#logs?trace=${traceId}`)
    await see(page, '.waterfall .title', 'POST /chat')
    expect(await widthOfAll()).toBe(480)
  })
})

describe('the files of the page', () => {
  test('come under a strict policy, and are asked for anew only when they have changed', async () => {
    for (const [path, type] of [
      ['/', 'text/html'],
      ['/page/page/main.js', 'text/javascript'],
      ['/page/page/page.css', 'text/css'],
      ['/page/models/shown/visible-text.js', 'text/javascript'],
    ] as const) {
      const answer = await app.get(path)
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
        path,
        200,
        `${type}; charset=utf-8`,
      ])
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-cache',
      })
      await answer.text()
      const again = await fetch(new URL(path, app.service.url), {
        headers: { 'if-none-match': answer.headers.get('etag') ?? '' },
      })
      expect([again.status, await again.text()]).toEqual([304, ''])
    }
    for (const path of [
      '/page/',
      '/page/page/',
      '/page/page/main.ts',
      '/page/..%2f..%2fpackage.json',
      '/page/%2e%2e/cli.js',
    ])
      expect([path, (await app.get(path)).status]).toEqual([path, 404])
  })

  test('are not there where the API is not', async () => {
    const ingest = await startTestService({}, { roles: ['ingest'] })
    try {
      expect((await ingest.get('/')).status).toBe(404)
      expect((await ingest.get('/page/page/main.js')).status).toBe(404)
    } finally {
      await ingest.close()
    }
  })
})
