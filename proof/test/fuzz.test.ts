import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { openClient, type Client } from '../src/client'
import { resolve as resolveIn, type Contract } from '../src/contract'
import { standBy } from '../src/fuzz/bystander'
import { fuzz } from '../src/fuzz/fuzz'
import { judgeOf } from '../src/fuzz/judge'
import { operationsOf } from '../src/fuzz/operations'
import { pathOf } from '../src/fuzz/requests'
import { probeSockets } from '../src/fuzz/sockets'

// A shop with one shelf of tea, which keeps its contract as long as no fault is planted.

/** What can be planted together, and the kind of complaint that each has to be told as. */
const PLANTED = [
  {
    'an undocumented status': /^contract: 418/,
    'a stack': /^leak of a stack trace/,
    'a secret': /^leak of a secret/,
    'a fault at NUL': /^500 /,
    'a field that nobody declared': /^contract: .*unevaluated/,
    'an unknown field': /^accepted: body: .* properties/,
    'a parameter that is repeated': /^accepted: query parameter limit is repeated/,
    'no answer': /^no answer/,
  },
  {
    'a status that has another code': /^contract: code/,
    'an effect of a refusal': /^a refused call had an effect/,
    'no look at the token': /^accepted: its token is not good/,
    'a body checked before the role': /to who may not call$/,
    'a number that is too large': /^accepted: body: .*cups must be <= /,
  },
  {
    'a refusal in HTML': /^contract: content type/,
    'no look at the role': /^accepted: it is not for BUYER/,
    'X-Request-Id twice': /^X-Request-Id/,
  },
]
const problem = (status: number, code: string) => ({
  description: code,
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        properties: {
          ...{ type: { type: 'string' }, title: { type: 'string' }, detail: { type: 'string' } },
          ...{ status: { const: status }, code: { const: code }, requestId: { type: 'string' } },
        },
        required: ['type', 'title', 'status', 'code', 'requestId'],
      },
    },
  },
})
const refusals = { 400: problem(400, 'malformed'), 401: problem(401, 'who'), 422: problem(422, 'invalid') }
const seller = { security: [{ shop: [] }], 'x-access': ['SELLER'] }
const json = (schema: object) => ({ description: 'd', content: { 'application/json': { schema } } })
const document: Contract = {
  openapi: '3.1.0',
  paths: {
    '/teas': {
      get: {
        operationId: 'listTeas',
        security: [{}, { shop: [] }],
        parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100 } }],
        responses: { 200: json({ type: 'array', items: { $ref: '#/components/schemas/Tea' } }), ...refusals },
      },
      post: {
        operationId: 'addTea',
        ...seller,
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/NewTea' } } },
        },
        responses: {
          201: json({ $ref: '#/components/schemas/Tea' }),
          ...refusals,
          403: problem(403, 'role'),
          413: problem(413, 'long'),
          415: problem(415, 'media'),
        },
      },
    },
    '/teas/{id}': {
      get: {
        operationId: 'readTea',
        ...seller,
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^\\d+$' } }],
        responses: {
          200: json({ $ref: '#/components/schemas/Tea' }),
          ...refusals,
          403: problem(403, 'role'),
          404: problem(404, 'no-tea'),
        },
      },
    },
  },
  components: {
    schemas: {
      Tea: {
        type: 'object',
        properties: { id: { type: 'string' }, name: { type: 'string' }, cups: { type: 'integer' } },
        required: ['id', 'name', 'cups'],
      },
      NewTea: {
        type: 'object',
        properties: {
          name: { type: 'string', minLength: 1, maxLength: 30 },
          cups: { type: 'integer', minimum: 1, maximum: 10 },
        },
        required: ['name', 'cups'],
        additionalProperties: false,
      },
    },
  },
}

type Reply = { status: number; body: unknown; code?: string; html?: true }
const refuse = (status: number, code: string, detail = ''): Reply => ({
  status,
  code,
  body: { type: code, title: code, status, code, detail },
})
const ROLES: Record<string, string> = { 'Bearer token-of-the-seller': 'SELLER', 'Bearer token-of-the-buyer': 'BUYER' }
const DIGITS = /^\d{1,3}$/

function openShop(faults: readonly string[] = [], options: ServerOptions = {}) {
  const teas: { id: string; name: string; cups: number; age?: number }[] = []
  const has = (fault: string) => faults.includes(fault)

  function admit({ headers, method, rawHeaders }: IncomingMessage): Reply | undefined {
    const tokens = rawHeaders.filter((_, i) => rawHeaders[i - 1]?.toLowerCase() === 'authorization' && i % 2)
    const role = tokens.length > 1 ? undefined : ROLES[headers.authorization ?? '']
    const isOpen = method === 'GET' && tokens.length === 0
    if (!isOpen && role === undefined && !(has('no look at the token') && tokens.length > 0)) return refuse(401, 'who')
    return undefined
  }

  function add(text: string, query: string, { headers, rawHeaders }: IncomingMessage): Reply {
    const role = ROLES[headers.authorization ?? ''] ?? 'SELLER'
    const forbidden = role === 'SELLER' || has('no look at the role') ? undefined : refuse(403, 'role')
    if (forbidden && !has('a body checked before the role')) return forbidden
    if (text.length > 50_000) return refuse(413, 'long')
    const types = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type')
    if (types.length !== 1 || headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== 'application/json')
      return refuse(415, 'media')
    let tea: { name?: unknown; cups?: unknown } | null
    try {
      tea = JSON.parse(text) as typeof tea
    } catch (error) {
      return refuse(400, 'malformed', has('a stack') ? (error as Error).stack : '')
    }
    const { name, cups, ...rest } = tea ?? {}
    const length = typeof name === 'string' ? [...name].length : 0
    const most = has('a number that is too large') ? Infinity : 10
    if (has('a fault at NUL') && text.includes('\\u0000')) return refuse(500, 'invalid')
    if (has('an undocumented status') && cups === 10) return refuse(418, 'invalid')
    const isRight =
      query === '' && length >= 1 && length <= 30 && Number.isInteger(cups) && Number(cups) >= 1 && Number(cups) <= most
    if (!isRight || (Object.keys(rest).length > 0 && !has('an unknown field')) || Array.isArray(tea)) {
      if (has('an effect of a refusal')) teas.push({ id: String(teas.length), name: 'stolen', cups: 1 })
      return refuse(422, has('a status that has another code') ? 'media' : 'invalid')
    }
    const added = { id: String(teas.length), name: name as string, cups: Number(cups) }
    teas.push(added)
    return forbidden ?? { status: 201, body: has('a field that nobody declared') ? { ...added, age: 3 } : added }
  }

  function list(query: URLSearchParams): Reply {
    const [limit = '100', ...more] = query.getAll('limit')
    const isRight =
      (more.length === 0 || has('a parameter that is repeated')) && [...query.keys()].every((name) => name === 'limit')
    if (!isRight || !DIGITS.test(limit) || Number(limit) < 1 || Number(limit) > 100) return refuse(422, 'invalid')
    return { status: 200, body: teas.slice(-Number(limit)) }
  }

  function answer(request: IncomingMessage, text: string): Reply {
    const { method = '', url = '' } = request
    const [path = '', query = ''] = (url.split('#')[0] ?? '').split('?')
    const id = /^\/teas\/([^/]+)$/.exec(path)?.[1]
    if (path !== '/teas' && id === undefined) return refuse(404, 'route-not-found')
    const allowed = id === undefined ? ['GET', 'HEAD', 'POST'] : ['GET', 'HEAD']
    if (!allowed.includes(method)) return refuse(405, 'method-not-allowed', allowed.join(', '))
    const wrong = admit(request)
    if (wrong) return wrong
    if (method === 'POST') return add(text, query, request)
    if (id === undefined) return list(new URLSearchParams(query))
    if (request.headers.authorization === undefined) return refuse(401, 'who')
    if (request.headers.authorization !== 'Bearer token-of-the-seller' && !has('no look at the token'))
      return refuse(403, 'role')
    if (!/^\d+$/.test(id) || query !== '') return refuse(422, 'invalid', has('a secret') ? 'open sesame' : '')
    const tea = teas[Number(id)]
    return tea ? { status: 200, body: tea } : refuse(404, 'no-tea')
  }

  return createServer(options, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (has('no answer') && request.url?.includes('limit=100')) return void request.socket.destroy()
      const { status, body, code } = answer(request, Buffer.concat(chunks).toString())
      const sent = request.headersDistinct['x-request-id'] ?? []
      const isSane = sent.length === 1 && /^[A-Za-z0-9._-]{8,64}$/.test(sent[0] ?? '')
      const requestId = isSane ? (sent[0] ?? '') : 'made-for-it'
      response.statusCode = status
      response.setHeader('X-Request-Id', has('X-Request-Id twice') ? [requestId, requestId] : requestId)
      if (status === 405) response.setHeader('Allow', String((body as { detail: string }).detail))
      const isHtml = has('a refusal in HTML') && status === 422
      response.setHeader(
        'Content-Type',
        isHtml ? 'text/html' : code === undefined ? 'application/json' : 'application/problem+json',
      )
      const text = JSON.stringify(
        code === undefined ? body : { ...(body as object), type: `/problems/${code}`, requestId },
      )
      response.end(request.method === 'HEAD' ? undefined : text)
    })
  })
}

const servers = new Set<Server>()
const clients = new Set<Client>()
afterEach(async () => {
  for (const client of clients) client.close()
  for (const server of servers) {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
  servers.clear()
  clients.clear()
})

async function clientOf(server: Server): Promise<Client> {
  servers.add(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const client = openClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  clients.add(client)
  return client
}

const CASES = 160
const callers = [
  { name: 'seller', role: 'SELLER', token: () => Promise.resolve('token-of-the-seller') },
  { name: 'buyer', role: 'BUYER', token: () => Promise.resolve('token-of-the-buyer') },
  { name: 'anonymous', role: undefined, token: () => Promise.reject(new Error('nobody has no token')) },
]
const fuzzed = async (server: Server, cases = CASES) => {
  const client = await clientOf(server)
  return { client, ...(await fuzz({ client, document, callers, seed: 'tea', cases, secrets: () => ['open sesame'] })) }
}

test('nothing is found where the contract is kept, and all of it is reached', async () => {
  const { rows } = await fuzzed(openShop())
  expect(rows.flatMap(({ findings }) => findings)).toEqual([])
  expect(rows.map(({ operation, cases }) => [operation, cases])).toEqual([
    ['listTeas', expect.any(Number)],
    ['addTea', expect.any(Number)],
    ['readTea', expect.any(Number)],
    ['other methods and paths', expect.any(Number)],
  ])
  const seen = rows.map(({ statuses }) => [...statuses.keys()].sort())
  expect(seen).toEqual([
    [200, 401, 404, 405, 422].filter((status) => seen[0]?.includes(status)),
    [201, 400, 401, 403, 404, 413, 415, 422].filter((status) => status !== 404 || seen[1]?.includes(404)),
    [200, 401, 403, 404, 422],
    [404, 405],
  ])
})

test.each(PLANTED.map((faults) => [Object.keys(faults).join(', '), faults] as const))(
  'found: %s',
  async (_names, faults) => {
    const { rows, client } = await fuzzed(openShop(Object.keys(faults)))
    const findings = rows.flatMap((row) => row.findings)
    for (const kind of Object.values<RegExp>(faults)) {
      expect(findings.map((each) => each.kind)).toContainEqual(expect.stringMatching(kind))
      const curl = findings.find((each) => kind.test(each.kind) && each.again)?.curl
      expect([kind, curl]).toEqual([kind, expect.stringContaining(`'${client.url}/teas`)])
    }
  },
  180_000,
)

test('what is put twice in the place of one parameter of a path is one value there, good or bad', () => {
  const operations = operationsOf(document)
  const { objectionsTo } = judgeOf(document, operations, (node) => resolveIn(document, node))
  const operation = operations.find(({ id }) => id === 'readTea')!
  const objections = (...texts: string[]) => {
    const fields = { fields: texts.map((text) => ['id', text] as const) }
    const request = { operation, caller: callers[0]!, method: 'GET', headers: [], body: undefined, badToken: false }
    return objectionsTo({
      ...request,
      target: pathOf(operation, fields),
      values: { path: fields, query: { fields: [] } },
    })
  }
  expect(objections('12', '')).toEqual([])
  expect(objections('1', '2')).toEqual([])
  expect(objections('12', 'x')).toEqual([expect.stringMatching(/^path parameter id: /)])
})

test('what shows a fault is made as small as it can be', async () => {
  const { rows } = await fuzzed(openShop(['a fault at NUL']))
  const found = rows.flatMap((row) => row.findings).find(({ kind }) => kind.startsWith('500'))
  expect(found?.curl).toMatch(/--data-binary '[^']*\\u0000[^']*'/)
  expect(found?.curl.length).toBeLessThan(300)
})

test('a seed repeats its requests', async () => {
  const requestsOf = async () => {
    const asked: string[] = []
    const server = openShop()
    server.on('request', ({ method, url }: IncomingMessage) => asked.push(`${method} ${url}`))
    await fuzzed(server, 20)
    return asked.sort()
  }
  expect(await requestsOf()).toEqual(await requestsOf())
})

test('who interrupts it is told what was found until then', async () => {
  const enough = new AbortController()
  const client = await clientOf(openShop(['an unknown field', 'a number that is too large']))
  const progress = (text: string) => void (/^75 of /.test(text) && enough.abort())
  const { rows } = await fuzz({ client, document, callers, seed: 'tea', cases: CASES, progress, signal: enough.signal })
  expect(rows.map(({ operation }) => operation)).toEqual(['listTeas', 'addTea', 'readTea'])
  expect(rows.filter(({ cases }) => cases < 75 || cases > 100)).toEqual([])
  expect(rows.flatMap(({ findings }) => findings).length).toBeGreaterThan(0)
})

test('of a shop that stays busy nothing is found out: the command says so, and ends with 2', async () => {
  const { url } = await clientOf(
    createServer((request, response) => {
      if (request.url === '/openapi.json')
        response.setHeader('Content-Type', 'application/json').end(JSON.stringify(document))
      else response.writeHead(503, { 'Retry-After': '3600' }).end()
    }),
  )
  const program = ['-r', './scripts/test/typescript.cjs', 'proof/src/fuzz/main.ts', '--url', url]
  const child = spawn(process.execPath, program, { cwd: path.join(__dirname, '../..') })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(/^POST \/users answered 503 *$/m)])
})

describe('over bare sockets', () => {
  const probed = async (server: Server) => {
    const { client, served, watch } = await fuzzed(server, 10)
    return probeSockets({
      client,
      document,
      served,
      watch,
      slowClients: 1,
      deadlineMs: 1_000,
      progress: () => undefined,
    })
  }

  test('a server that takes ambiguous framing and waits for ever is found out', async () => {
    const { findings } = await probed(openShop([], { insecureHTTPParser: true }))
    const kinds = findings.map(({ kind }) => kind)
    expect(kinds).toEqual(
      expect.arrayContaining([
        'a space before the colon',
        'a dot segment',
        'a hidden request was served',
        'a header that never ends',
        'chunks that never end',
        'TRACE',
      ]),
    )
  }, 180_000)

  test('a client as any other waits for a limit, and tells when it is sent away for anything else', async () => {
    const statuses = [429, 503]
    const client = await clientOf(
      createServer((request, response) =>
        response
          .writeHead(statuses.shift() ?? 200, {
            'X-Request-Id': request.headers['x-request-id'],
            'Content-Type': 'application/json',
            'Retry-After': '0',
          })
          .end('[]'),
      ),
    )
    const bystander = standBy(client, document, '/teas')
    while (client.counts.calls < 4) await new Promise((resolve) => setImmediate(resolve))
    const { faults } = await bystander.end()
    expect(faults).toContain('GET /teas was answered 503')
    expect(faults.join()).not.toContain('429')
  })

  test('a client as any other tells when it gets what is not its own', async () => {
    let n = 0
    const client = await clientOf(
      createServer((_request, response) =>
        response
          .setHeader('X-Request-Id', `bystander-${n++ >> 1}`)
          .setHeader('Content-Type', 'application/json')
          .end('[]'),
      ),
    )
    const bystander = standBy(client, document, '/teas')
    while (client.counts.calls < 3) await new Promise((resolve) => setImmediate(resolve))
    expect(await bystander.end()).toMatchObject({ faults: ['GET /teas got the answer of another request'] })
  })
})
