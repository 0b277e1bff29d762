import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { createTcpProxy } from '../helpers/tcp-proxy.ts'
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

const answerOf = (events: readonly string[], retryMs: number) => ({
  contentType: 'text/event-stream',
  body: `retry: ${retryMs}\n\n${events.map((event) => `${event}\n\n`).join('')}`,
})

/** Answers a tail by itself, once. */
const tailOf =
  (...events: readonly string[]) =>
  (page: Page) =>
    page.route('**/api/v1/*/tail*', (route) => route.fulfill(answerOf(events, 600_000)))

const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}`
const log = (at: number, body: unknown, more = {}) =>
  `id: ${at}-0-0\ndata: ${JSON.stringify({ timeUnixNano: '1764147600000000000', severityNumber: 17, service: 'api', body, ...more })}`

const send = (message: string) =>
  app.redis.xadd(`${app.prefix}:logs`, '*', 'service', 'far', 'message', message)

describe.skipIf(chromium === undefined)('the live tail of the page', () => {
  test('keeps all digits of integers', async () => {
    const page = await openPage('', {
      prepare: tailOf(log(1, 'ids').replace('"body"', '"attributes":{"id":12345678901234567890},"body"')),
    })
    await rows(page).first().click()
    await see(page, '.values', '12345678901234567890')
  })

  test('says what is missing from the tail, and where', async () => {
    const gap = { from: '1-0', to: '9-0', entries: 12, reason: 'trimmed' }
    const page = await openPage('', {
      prepare: tailOf(
        log(1, 'one'),
        event('dropped', { count: 7 }),
        log(2, 'two'),
        event('gap', gap),
        event('bye', { reason: 'limit' }),
      ),
    })
    await see(
      page,
      '.note',
      /7 left out.*\n?.*12 entries were not looked at here, for they are no longer in Redis/,
    )
    await see(page, '.counts', '2 records · 7 dropped')
    await see(page, '.state', 'ended')
    expect(await page.locator('.rows > *').evaluateAll((all) => all.map((each) => each.className))).toEqual([
      'record error',
      'note',
      'record error',
      'note',
    ])
  })

  test('says why it cannot watch, and watches as soon as it can', async () => {
    browser.expectComplaint('400')
    const page = await openPage('#logs?level=often')
    await see(page, '.state', /^not possible: level/)
    await page.getByLabel('Level').selectOption('error')
    await see(page, '.state', 'live')
  })

  test('goes on where it was when the connection is lost', async () => {
    browser.expectComplaint('net::ERR')
    const proxy = await createTcpProxy(app.service.url)
    try {
      const page = await browser.open(`http://127.0.0.1:${proxy.port}/#logs?service=far`)
      await see(page, '.state', 'live')
      await send('before')
      await eventually(async () => expect(await texts(page)).toEqual(['before']))
      proxy.cut()
      await send('meanwhile')
      await see(page, '.state', 'reconnecting')
      await eventually(async () => expect(await texts(page)).toEqual(['before', 'meanwhile']))
      await send('after')
      await eventually(async () => expect(await texts(page)).toEqual(['before', 'meanwhile', 'after']))
      await see(page, '.state', 'live')
    } finally {
      await browser.closePages()
      await proxy.close()
    }
  })

  test('keeps the newest 2,000 rows, stays at the end until the reader leaves it, and takes him back', async () => {
    let asked = 0
    const lines = (from: number) =>
      Array.from({ length: 1250 }, (_, at) => log(from + at, `line ${from + at}`))
    const page = await openPage('', {
      prepare: (page) =>
        page.route('**/api/v1/*/tail*', async (route) => {
          asked += 1
          const events = asked > 2 ? [event('heartbeat', {})] : lines((asked - 1) * 1250)
          await route.fulfill(answerOf(events, asked > 2 ? 600_000 : 10))
        }),
    })
    await eventually(async () => expect(await rows(page).last().textContent()).toContain('line 2499'))
    expect(await rows(page).count()).toBe(2000)
    const newest = page.getByRole('button', { name: 'Newest' })
    expect(await newest.isVisible()).toBe(false)
    await page.locator('.records').hover()
    await page.mouse.wheel(0, -3000)
    await eventually(async () => expect(await newest.isVisible()).toBe(true))
    await newest.click()
    await eventually(async () => expect(await newest.isVisible()).toBe(false))
  })

  test('is worked by keys', async () => {
    const page = await openPage('', { prepare: tailOf(log(1, 'one'), log(2, 'two'), log(3, 'three')) })
    await eventually(async () => expect(await texts(page)).toHaveLength(3))
    await page.keyboard.press('k')
    await page.keyboard.press('ArrowUp')
    await see(page, '.record[aria-selected=true]', 'two')
    await page.keyboard.press('j')
    await see(page, '.record[aria-selected=true]', 'three')
    await page.keyboard.press('Enter')
    await see(page, '.record-details .body', 'three')
    await page.keyboard.press('Escape')
    expect(await page.locator('.live').isVisible()).toBe(true)
    await page.keyboard.press('/')
    await page.keyboard.type('j k ?')
    expect(await page.getByLabel('Search').inputValue()).toBe('j k ?')
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    expect(await page.locator('dialog').isVisible()).toBe(true)
    await page.keyboard.press('Escape')
    expect(await page.locator('dialog').isVisible()).toBe(false)
  })
})
