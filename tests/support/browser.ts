import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { chromium, type Browser, type Locator, type Page } from 'playwright-core'

/** Pictures of pages, for people; kept out of git, kept by CI. */
const ARTIFACTS = path.resolve(__dirname, '../../artifacts')

/** `CHROME_BIN`, which the test command sets, or Debian's. Runs as root as well, with a profile of its own, without network of its own. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env['CHROME_BIN'] ?? '/usr/bin/chromium',
    args: ['--disable-gpu', '--disable-sync', '--no-first-run', '--disable-component-update'],
  })

export type Watched = {
  page: Page
  /** What the browser refused because of the Content-Security-Policy: directive and what it was about. */
  refused: string[]
  /** Errors that scripts raised or wrote to the console. */
  errors: string[]
  /** Every URL that was asked for, `data:` aside. */
  requested: string[]
}

/** A fresh page (no cookies, no storage of another) that writes down what a test asks about afterwards. */
export async function openPage(browser: Browser): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1200 } })
  const page = await context.newPage()
  page.setDefaultTimeout(90_000) // Swagger UI is heavy, and all of it is drawn without a GPU
  const watched: Watched = { page, refused: [], errors: [], requested: [] }
  await page.exposeFunction('tellRefused', (what: string) => watched.refused.push(what))
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const { tellRefused } = globalThis as unknown as { tellRefused: (what: string) => void }
      tellRefused(
        `${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`,
      )
    })
  })
  page.on('pageerror', (error) => watched.errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') watched.errors.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) watched.requested.push(request.url())
  })
  return watched
}

/** Keeps a picture as artifacts/<name>.png: of the whole page, or of what is seen of an element and below it. */
export async function keepPicture(page: Page, name: string, from?: Locator): Promise<void> {
  mkdirSync(ARTIFACTS, { recursive: true })
  await from?.evaluate((element) => element.scrollIntoView())
  await page.screenshot({ path: path.join(ARTIFACTS, `${name}.png`), fullPage: from === undefined })
}
