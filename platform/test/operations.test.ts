import path from 'node:path'
import express from 'express'
import type pg from 'pg'
import supertest from 'supertest'
import { z } from 'zod'
import { type TestDatabase, createDatabase } from '../../tests/support/database'
import { stopwatch } from '../../tests/support/stopwatch'
import { type Wire, openWire } from '../../proof/src/chaos/wire'
import { httpApp } from '@shop/platform/http'
import { makeLog } from '@shop/platform/logging'
import { clockReady, databaseReady, keysReady, operationsOf, type ReadinessCheck } from '@shop/platform/operations'
import { openPool } from '@shop/platform/postgres'
import { reply, routesOf } from '@shop/platform/routes'

const MIGRATIONS = path.join(__dirname, '../../products/prisma/migrations')

let database: TestDatabase
let wire: Wire
let pool: pg.Pool
beforeAll(async () => void (database = await createDatabase()))
beforeEach(async () => {
  wire = await openWire(database.urls.products)
  pool = openPool({ connectionString: wire.url, max: 2, applicationName: 'operations', onError: () => undefined })
})
afterEach(async () => {
  await wire.close()
  await pool.end()
})
afterAll(() => database.drop())

const serving = (...checks: ReadinessCheck[]) =>
  supertest(express().use(operationsOf({ service: 'test', checks, pool }).router))
const withDatabase = () => serving(databaseReady(pool, 'products', MIGRATIONS))

test('with its database a service is alive and ready', async () => {
  const service = withDatabase()
  const live = await service.get('/livez')
  expect([live.status, live.body]).toEqual([200, { status: 'alive' }])
  const ready = await service.get('/readyz')
  expect([ready.status, ready.body, ready.headers['cache-control']]).toEqual([200, { status: 'ready' }, 'no-store'])
})

test('with its database away a service is alive but not ready, and is ready again by itself', async () => {
  const service = withDatabase()
  await service.get('/readyz').expect(200)
  const port = Number(new URL(wire.url).port)
  await wire.close()
  const away = await service.get('/readyz')
  expect([away.status, away.body]).toEqual([503, { status: 'not ready', missing: { database: expect.any(String) } }])
  expect(away.body.missing.database).not.toBe('')
  await service.get('/livez').expect(200)
  wire = await openWire(database.urls.products, port)
  await service.get('/readyz').expect(200)
})

test('a database that does not answer makes a service not ready within 10 s, and alive all the while', async () => {
  const service = withDatabase()
  await service.get('/readyz').expect(200)
  wire.blackHole()
  const elapsed = stopwatch()
  const ready = service.get('/readyz').then((response) => response.status)
  await service.get('/livez').expect(200)
  expect(await ready).toBe(503)
  expect(elapsed()).toBeLessThan(10_000)
  wire.restore()
})

test('migrations that were not applied are named', async () => {
  const behind = await createDatabase()
  await behind.owner.query('delete from products._prisma_migrations')
  const own = openPool({
    connectionString: behind.urls.products,
    max: 1,
    applicationName: 'operations',
    onError: () => undefined,
  })
  const { status, body } = await serving(databaseReady(own, 'products', MIGRATIONS)).get('/readyz')
  expect([status, body.missing.database]).toEqual([503, expect.stringMatching(/^migrations not applied: \d+_init/)])
  await own.end()
  await behind.drop()
})

test('every condition that does not hold is named, and one that does is not', async () => {
  let ready = false
  const service = serving(
    keysReady({ ready: () => ready, find: () => undefined }),
    clockReady({ ready: () => ready }),
    { name: 'demo data', missing: () => Promise.resolve(ready ? undefined : 'not loaded yet') },
    { name: 'bug', missing: () => (ready ? Promise.resolve(undefined) : Promise.reject(new Error('kettle'))) },
    { name: 'fine', missing: () => Promise.resolve(undefined) },
  )
  const not = await service.get('/readyz')
  expect([not.status, not.body]).toEqual([
    503,
    {
      status: 'not ready',
      missing: { keys: 'no key set yet', clock: 'not seen yet', 'demo data': 'not loaded yet', bug: 'kettle' },
    },
  ])
  ready = true
  await service.get('/readyz').expect(200)
})

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  expect(text.endsWith('\n')).toBe(true)
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-zA-Z_:][\w:]* ./.test(line)) continue
    const [, name, value] = /^([a-zA-Z_:][\w:]*(?:\{(?:\w+="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)$/.exec(line) ?? []
    if (name === undefined || Number.isNaN(Number(value))) throw new Error(`no sample: ${line}`)
    expect(samples.has(name)).toBe(false)
    samples.set(name, Number(value))
  }
  return samples
}

test('the metrics can be read, and count calls by route and the connections of the pool', async () => {
  const route = routesOf<object>()({})
  const app = httpApp({
    routes: [
      route(
        {
          ...{ method: 'get', path: '/teas/{id}', operationId: 'read', tag: 't', summary: 's', access: 'public' },
          params: z.strictObject({ id: z.string() }),
          responses: { 200: { description: 'd', body: z.object({ id: z.string() }) } },
          problems: [],
        },
        ({ params }) => Promise.resolve(reply(200, { id: params.id })),
      ),
    ],
    deps: {},
    problems: {},
    log: makeLog('test', 'silent'),
    authenticate: () => Promise.resolve(undefined),
    operations: operationsOf({ service: 'test', checks: [], pool }),
  })
  for (const id of ['green', 'black']) await supertest(app).get(`/teas/${id}`).expect(200)
  await supertest(app).get('/"}\\nothing').expect(404)
  await pool.query('select 1')
  const { status, text, headers } = await supertest(app).get('/metrics')
  expect([status, headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/plain; version=0\.0\.4/)])
  const samples = samplesOf(text)
  const counted = [...samples].filter(([name]) => name.startsWith('http_request_duration_seconds_count'))
  expect(counted).toEqual([
    ['http_request_duration_seconds_count{service="test",method="GET",route="/teas/{id}",status="200"}', 2],
    ['http_request_duration_seconds_count{service="test",method="GET",route="none",status="404"}', 1],
  ])
  expect(samples.get('postgres_pool_clients{state="total",service="test"}')).toBe(1)
  expect(samples.get('postgres_pool_clients{state="idle",service="test"}')).toBe(1)
  expect([...samples.keys()].some((name) => name.startsWith('nodejs_eventloop_lag_seconds'))).toBe(true)
})

test('operations are read only, at these spellings only', async () => {
  const app = httpApp({
    routes: [],
    deps: {},
    problems: {},
    log: makeLog('test', 'silent'),
    authenticate: () => Promise.resolve(undefined),
    operations: operationsOf({ service: 'test', checks: [] }),
  })
  for (const target of ['/livez/', '/LIVEZ', '/metrics/x']) await supertest(app).get(target).expect(404)
  await supertest(app).post('/livez').expect(404)
  await supertest(app).head('/readyz').expect(200)
})
