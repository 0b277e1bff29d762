import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { eventually } from './eventually.ts'

/** As scripts/setup.mjs looks for it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
/** A browser for tests, which asks nobody for anything. */
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface WatchedBrowser {
  /** Opens a page, in a context of its own where one is described. */
  open(
    url: string,
    options?: {
      readonly context?: BrowserContextOptions
      readonly prepare?: (page: Page) => Promise<unknown>
    },
  ): Promise<Page>
  /** Lets complaints that have this in them be: the browser complains of every answer that is no success. */
  expectComplaint(text: string): void
  /** Closes the pages. What the browser complained of in them, dialogs, and requests to anybody else fail the test. */
  closePages(): Promise<void>
  close(): Promise<void>
}

/** The program of a browser that runs; undefined where there is none, which is told on standard error. */
export function findChromium(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']
  const found = folders
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .filter((path) => existsSync(path))
  // Where it is a package that is yet to be installed there is a program that says so, and fails.
  const path = found.find((each) => spawnSync(each, ['--version'], { timeout: 20_000 }).status === 0)
  if (path === undefined) {
    const reason = found.length > 0 ? `${found[0]} does not run` : `no ${NAMES.join(', ')} on the PATH`
    process.stderr.write(`the page is not tested in a browser: ${reason}\n`)
  }
  return path
}

/** Starts a browser whose pages are watched. */
export async function startWatchedBrowser(executablePath: string): Promise<WatchedBrowser> {
  const browser = await chromium.launch({ executablePath, args: ARGS })
  // One for all pages that ask for nothing else: what it has loaded is not loaded again.
  const usual = await browser.newContext()
  const pages: Page[] = []
  let complaints: string[] = []
  let expected: string[] = []
  return {
    async open(url, { context, prepare } = {}) {
      const page = await (context === undefined ? usual : await browser.newContext(context)).newPage()
      pages.push(page)
      page.setDefaultTimeout(10_000)
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
      })
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('dialog', (dialog) => {
        complaints.push(`a dialog: ${dialog.message()}`)
        void dialog.dismiss()
      })
      page.on('request', (request) => {
        if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith('data:'))
          complaints.push(`asked for ${request.url()}`)
      })
      await prepare?.(page)
      await page.goto(url)
      return page
    },
    expectComplaint: (text) => {
      expected.push(text)
    },
    async closePages() {
      await Promise.all(pages.splice(0).map((page) => page.close()))
      const left = complaints.filter((complaint) => !expected.some((text) => complaint.includes(text)))
      complaints = []
      expected = []
      expect(left).toEqual([])
    },
    close: () => browser.close(),
  }
}

/** Waits until what the selector finds says this. Nothing is evaluated in the page that its policy forbids. */
export function see(page: Page, selector: string, said: string | RegExp): Promise<void> {
  return eventually(async () => {
    const found = (await page.locator(selector).allTextContents()).join('\n')
    if (typeof said === 'string') expect(found).toContain(said)
    else expect(found).toMatch(said)
  })
}
