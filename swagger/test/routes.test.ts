import path from 'node:path'
import supertest from 'supertest'
import { makeLog } from '@shop/platform/logging'
import { swaggerApp } from '../src/app'
import { PICKER, readDocuments } from '../src/documents'

const lines: string[] = []
const log = makeLog('swagger', 'info', { write: (line: string) => void lines.push(line) })
const documents = readDocuments(path.join(__dirname, '..'))
const app = swaggerApp({ documents, log })
const get = (url: string) => supertest(app).get(url)

test('the root leads to Swagger UI', async () => {
  const root = await get('/')
  expect([root.status, root.headers['location']]).toEqual([302, '/docs/'])
  const docs = await get('/docs')
  expect([docs.status, docs.headers['location']]).toEqual([301, '/docs/'])
})

test('the page allows itself no inline script and nothing from elsewhere', async () => {
  const page = await get('/docs/')
  expect([page.status, page.type]).toEqual([200, 'text/html'])
  const policy = page.headers['content-security-policy'] ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self';")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  expect(page.text).not.toMatch(/<script(?! src="[\w.-]+")|<style|style=|https?:/)
  for (const [, asset] of page.text.matchAll(/(?:src|href)="([^"]+)"/g))
    expect([asset, (await get(`/docs/${asset}`)).status]).toEqual([asset, 200])
})

test('the script offers everything first and validates nowhere', async () => {
  const script = await get('/docs/shop.js')
  expect(script.type).toBe('text/javascript')
  expect(script.text).toContain(
    JSON.stringify([
      { name: 'Everything', url: '/openapi.json' },
      { name: 'Users', url: '/openapi/users.json' },
      { name: 'Products', url: '/openapi/products.json' },
      { name: 'Orders', url: '/openapi/orders.json' },
    ]),
  )
  expect(script.text).toContain('\'urls.primaryName\': "Everything"')
  expect(script.text).toContain('validatorUrl: null')
})

test.each(PICKER.map(({ url, file }) => [url, file]))(
  '%s is the committed document, revalidated by its ETag',
  async (url, file) => {
    const whole = await get(url)
    expect([whole.status, whole.headers['content-type'], whole.headers['cache-control']]).toEqual([
      200,
      'application/json; charset=utf-8',
      'no-cache',
    ])
    expect(whole.body).toEqual(jest.requireActual(path.join(__dirname, '..', file)))
    const again = await get(url).set('if-none-match', whole.headers['etag'] ?? '')
    expect([again.status, again.text, again.headers['etag']]).toEqual([304, '', whole.headers['etag']])
    const head = await supertest(app).head(url)
    expect([head.status, head.headers['content-length']]).toEqual([200, whole.headers['content-length']])
  },
)

test.each([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
])('%s is sent whole, whatever part or version is asked for, and revalidated by its ETag', async (name, type) => {
  const url = `/docs/${name}`
  const whole = await get(url)
  expect([whole.status, whole.headers['content-type'], whole.headers['cache-control']]).toEqual([200, type, 'no-cache'])
  for (const header of [
    { range: 'bytes=99999999-' },
    { range: 'bytes=0-3' },
    { 'if-match': '"another"' },
    { 'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' },
  ]) {
    const asked = await get(url).set(header as Record<string, string>)
    expect([header, asked.status, asked.headers['content-length']]).toEqual([
      header,
      200,
      whole.headers['content-length'],
    ])
  }
  expect((await get(url).set('if-none-match', whole.headers['etag'] ?? '')).status).toBe(304)
})

test('every code of the joined document has a page, for people and for programs', async () => {
  expect(documents.problems.size).toBeGreaterThan(30)
  for (const [code, { status, title, description }] of documents.problems) {
    const page = await get(`/problems/${code}`).set('accept', 'text/html,application/xhtml+xml,*/*;q=0.8')
    expect([code, page.status, page.type]).toEqual([code, 200, 'text/html'])
    expect(page.text).toContain(`<p class="status">${status}</p>`)
    const json = await get(`/problems/${code}`).set('accept', 'application/json')
    expect(json.headers['vary']).toBe('Accept')
    expect(json.body).toEqual({ type: `/problems/${code}`, code, status, title, description })
  }
})

test('the index lists every code, and what stands in a description stays text', async () => {
  const index = await get('/problems/')
  expect(index.text).toContain('<a href="/problems/insufficient-stock">')
  expect((await get('/problems/').set('accept', 'application/json')).body.items).toHaveLength(documents.problems.size)

  const problems = new Map([['odd', { status: 400, title: '<b>', description: 'a `<i>` & "b"' }]])
  const odd = await supertest(swaggerApp({ documents: { ...documents, problems }, log })).get('/problems/odd')
  expect(odd.text).toContain('<h1>&#60;b&#62;</h1>')
  expect(odd.text).toContain('a <code>&#60;i&#62;</code> &#38; &#34;b&#34;')
})

test.each([
  '/nothing',
  '/problems/no-such-code',
  '/problems',
  '/openapi/else.json',
  '/docs/package.json',
  '/docs/../package.json',
  '/DOCS/',
  '/problems/constructor',
])('%s is 404', async (url) => {
  const response = await get(url).set('x-request-id', 'request-of-test')
  expect(response.status).toBe(404)
  expect(response.type).toBe('application/problem+json')
  expect(response.body).toMatchObject({ code: 'route-not-found', status: 404, requestId: 'request-of-test' })
})

test.each(['/', '/docs/', '/docs/swagger-ui.css', '/openapi.json', '/problems/', '/problems/not-owner'])(
  '%s is only read',
  async (url) => {
    for (const method of ['post', 'put', 'patch', 'delete', 'options'] as const) {
      const response = await supertest(app)[method](url)
      expect([method, response.status, response.body.code, response.headers['allow']]).toEqual([
        method,
        405,
        'method-not-allowed',
        'GET, HEAD',
      ])
    }
  },
)

test('operators ask on its own port, and every request is one line of the log', async () => {
  lines.length = 0
  expect((await get('/livez')).status).toBe(200)
  expect((await get('/readyz')).status).toBe(200)
  expect((await get('/metrics')).text).toContain('http_request_duration_seconds')
  await get('/openapi.json?x=1').set('x-request-id', 'request-of-test')
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({
      service: 'swagger',
      requestId: 'request-of-test',
      method: 'GET',
      path: '/openapi.json',
      status: 200,
    }),
  ])
})

test('a folder without documents is told at the start', () => {
  expect(() => readDocuments(__dirname)).toThrow(/openapi\.json/)
})
