import path from 'node:path'
import express from 'express'
import type { Browser } from 'playwright-core'
import { makeLog } from '@shop/platform/logging'
import { listen, type RunningServer } from '@shop/platform/server'
import { keepPicture, openBrowser, openPage } from '../../tests/support/browser'
import { authorize, execute, operationOf, pick, shown } from '../../tests/support/swagger-ui'
import { swaggerApp } from '../src/app'
import { readDocuments } from '../src/documents'

const TOKEN = 'the-token-of-user-1'
let browser: Browser
let server: RunningServer
let origin: string
/** In the order of the document. */
let tags: string[]
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
  const documents = readDocuments(path.join(__dirname, '..'))
  const everything = JSON.parse(documents.texts.get('/openapi.json') ?? '') as { tags: { name: string }[] }
  tags = everything.tags.map(({ name }) => name)
  app.use(swaggerApp({ documents, log: makeLog('swagger', 'silent') }))
  server = await listen(app, { port: 0, host: '127.0.0.1' })
  origin = `http://127.0.0.1:${server.port}`
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  await server.drain()
})

test('everything is shown first, grouped by tag, without a word to another origin or a breach of its policy', async () => {
  const { page, refused, errors, requested } = await openPage(browser)
  await page.goto(`${origin}/`)
  await shown(page, 'Shop API')

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
  ).toEqual(tags)
  await keepPicture(page, 'swagger-ui')

  expect(requested.filter((url) => new URL(url).origin !== origin)).toEqual([])
  expect(refused).toEqual([])
  expect(errors).toEqual([])
})

test('Authorize takes a username and a password; the token survives another document and a reload', async () => {
  const { page, refused, errors } = await openPage(browser)
  await page.goto(`${origin}/docs/`)
  await shown(page, 'Shop API')
  await authorize(page, 'user-1', 'password')
  expect(logins.at(-1)).toMatchObject({ grant_type: 'password', username: 'user-1', password: 'password' })

  await execute(page, 'getProfile')
  await pick(page, 'Users')
  await shown(page, 'Users')
  await execute(page, 'getProfile')
  await page.reload()
  await shown(page, 'Users')
  expect(await execute(page, 'getProfile')).toEqual({ status: '200', body: expect.stringContaining('user-1') })

  expect(seen).toEqual(Array(3).fill(`Bearer ${TOKEN}`))
  expect([...refused, ...errors]).toEqual([])
})

test('a link leads to one operation, opened and ready to be executed', async () => {
  const { page, refused, errors } = await openPage(browser)
  await page.goto(`${origin}/docs/#/orders/placeOrder`)
  const operation = operationOf(page, 'placeOrder')
  await operation.getByRole('button', { name: 'Execute' }).waitFor()
  const body = await operation.locator('textarea.body-param__text').inputValue()
  expect(JSON.parse(body)).toHaveProperty('items')
  await keepPicture(page, 'swagger-ui-operation', operation)
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
