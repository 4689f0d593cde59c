import path from 'node:path'
import express from 'express'
import type { Browser, Page } from 'playwright-core'
import { makeLog } from '@shop/platform/logging'
import { listen, type RunningServer } from '@shop/platform/server'
import { keepPicture, openBrowser, openPage } from '../../tests/support/browser'
import { swaggerApp } from '../src/app'
import { readDocuments } from '../src/documents'

const TOKEN = 'the-token-of-user-1'
let browser: Browser
let server: RunningServer
let origin: string
/** Forms that were sent to the token endpoint. */
const logins: Record<string, string>[] = []
/** Authorization headers of the calls to the API. */
const seen: (string | undefined)[] = []

beforeAll(async () => {
  const app = express()
  // In place of the API behind Nginx; tests/e2e has the real one.
  app.post('/users/token', express.urlencoded(), (request, response) => {
    logins.push({ ...(request.body as Record<string, string>) })
    response.json({ access_token: TOKEN, token_type: 'Bearer', expires_in: 900, refresh_token: 'r' })
  })
  app.get('/users/me', (request, response) => {
    seen.push(request.headers.authorization)
    response.json({ username: 'user-1' })
  })
  app.use(swaggerApp({ documents: readDocuments(path.join(__dirname, '..')), log: makeLog('swagger', 'silent') }))
  server = await listen(app, { port: 0, host: '127.0.0.1' })
  origin = `http://127.0.0.1:${server.port}`
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  await server.drain()
})

const isShown = (page: Page, title: string) =>
  page.locator('.information-container .title', { hasText: title }).waitFor()

async function authorize(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Authorize' }).first().click()
  const dialog = page.locator('.auth-container')
  await dialog.locator('#oauth_username').fill('user-1')
  await dialog.locator('#oauth_password').fill('password')
  await dialog.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click()
  await dialog.getByRole('button', { name: 'Remove authorization' }).waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
}

async function execute(page: Page, operationId: string): Promise<void> {
  const operation = page.locator(`[id$="-${operationId}"]`)
  if (!(await operation.getByRole('button', { name: 'Execute' }).isVisible()))
    await operation.locator('.opblock-summary').click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  await operation.locator('.live-responses-table .response .highlight-code').waitFor()
}

test('everything is shown first, grouped by tag, without a word to another origin or a breach of its policy', async () => {
  const { page, refused, errors, requested } = await openPage(browser)
  await page.goto(`${origin}/`)
  await isShown(page, 'Shop API')

  expect(page.url()).toBe(`${origin}/docs/`)
  expect(await page.title()).toBe('Shop API')
  expect(await page.locator('.topbar select option').allTextContents()).toEqual([
    'Everything',
    'Users',
    'Products',
    'Orders',
  ])
  expect(
    await page.locator('.opblock-tag').evaluateAll((tags) => tags.map((tag) => tag.getAttribute('data-tag'))),
  ).toEqual(['users', 'catalogue', 'selling', 'orders'])
  await keepPicture(page, 'swagger-ui')

  expect(requested.filter((url) => new URL(url).origin !== origin)).toEqual([])
  expect(refused).toEqual([])
  expect(errors).toEqual([])
})

test('Authorize takes a username and a password; the token survives another document and a reload', async () => {
  const { page, refused, errors } = await openPage(browser)
  await page.goto(`${origin}/docs/`)
  await isShown(page, 'Shop API')
  await authorize(page)
  expect(logins.at(-1)).toMatchObject({ grant_type: 'password', username: 'user-1', password: 'password' })

  await execute(page, 'getProfile')
  await page.locator('.topbar select').selectOption('Users')
  await isShown(page, 'Users')
  await execute(page, 'getProfile')
  await page.reload()
  await isShown(page, 'Users')
  await execute(page, 'getProfile')

  expect(seen).toEqual(Array(3).fill(`Bearer ${TOKEN}`))
  expect([...refused, ...errors]).toEqual([])
})

test('a link leads to one operation, opened and ready to be executed', async () => {
  const { page, refused, errors } = await openPage(browser)
  await page.goto(`${origin}/docs/#/orders/placeOrder`)
  const operation = page.locator('#operations-orders-placeOrder')
  await operation.getByRole('button', { name: 'Execute' }).waitFor()
  const body = await operation.locator('textarea.body-param__text').inputValue()
  expect(JSON.parse(body)).toHaveProperty('items')
  await keepPicture(page, 'swagger-ui-operation')
  expect([...refused, ...errors]).toEqual([])
})

test('a page explains a problem', async () => {
  const { page, refused, errors, requested } = await openPage(browser)
  await page.goto(`${origin}/problems/`)
  await page.getByRole('link', { name: 'insufficient-stock' }).click()
  await page.getByRole('heading', { name: 'Insufficient stock' }).waitFor()
  expect(page.url()).toBe(`${origin}/problems/insufficient-stock`)
  await keepPicture(page, 'problem')
  expect(requested.filter((url) => new URL(url).origin !== origin)).toEqual([])
  expect([...refused, ...errors]).toEqual([])
})
