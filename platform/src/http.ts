import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import express, { type ErrorRequestHandler, type Express } from 'express'
import type { Logger } from 'pino'
import type { Authenticate, Caller } from './authentication'
import { matchesAny, weakTag } from './conditional'
import { fingerprintOf, type Once, type RenderedReply } from './idempotency'
import { pathOf, requestLog } from './logging'
import type { Operations } from './operations'
import { asOutage } from './postgres'
import { PLATFORM_PROBLEMS, ProblemError, problem, problemBody, type ProblemReply, type ProblemTable } from './problems'
import { admit, arrival, readBody, requestParser, type Parsed } from './requests'
import type { AnyReply, Route, RouteSpec } from './routes'

/** Nginx gives up after 10 s; whoever is still waiting by now gets an answer of ours. */
const DEADLINE_MS = 9_000

/** What a server serves. */
export type App = RequestListener

export type HttpOptions<Deps> = {
  routes: readonly Route<Deps>[]
  /** Handed to every handler. */
  deps: Deps
  problems: ProblemTable
  authenticate: Authenticate
  log: Logger
  /** Key of the fingerprints under Idempotency-Key; needed when a route takes one. */
  idempotencySecret?: string
  /** Health, metrics and documentation, behind the routes. */
  operations?: Operations
  deadlineMs?: number
}

/**
 * What a service answers: every call goes the same way, in the order of refusals that clients are promised. Calls whose path
 * has no parameter are found by their name; Express routes all others (docs/decisions/0011 has what that saves).
 */
export function httpApp<Deps>(options: HttpOptions<Deps>): App {
  const problems = { ...PLATFORM_PROBLEMS, ...options.problems }
  const begin = requestLog(options.log, options.operations?.observe)
  const app = expressApp()
  const direct = new Map<string, Handler>()
  for (const [path, routes] of byPath(options.routes)) {
    const route = app.route(path.replace(/\{(\w+)\}/g, ':$1'))
    for (const each of routes) {
      const handle = pipeline(each, options, problems)
      if (!path.includes('{')) direct.set(`${each.spec.method.toUpperCase()} ${path}`, handle)
      route[each.spec.method]((request, response) => handle(request, response, { ...request.params }))
    }
    const methods = routes.map(({ spec }) => spec.method.toUpperCase())
    const allow = [...(methods.includes('GET') ? ['HEAD'] : []), ...methods].sort().join(', ')
    route.all((request) => {
      // Where no call takes the parameters there is no path: `/users/TOKEN` only resembles one.
      const isPath = routes.some(({ spec: { params } }) => !params || params.safeParse(request.params).success)
      throw isPath ? new MethodNotAllowed(allow) : new ProblemError('route-not-found')
    })
  }
  if (options.operations) app.use(options.operations.router)
  app.use((request, response) => sendProblem(request, response, problems, problem('route-not-found')))
  app.use(errorHandler(problems))
  return (request, response) => {
    begin(request, response)
    const handle = direct.get(`${request.method} ${pathOf(request)}`)
    if (handle) void handle(request, response, {})
    else app(request, response)
  }
}

function expressApp(): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  app.set('query parser', 'simple')
  app.set('case sensitive routing', true)
  app.set('strict routing', true)
  return app
}

type Handler = (request: IncomingMessage, response: ServerResponse, params: Record<string, unknown>) => Promise<void>

class MethodNotAllowed extends ProblemError {
  constructor(allow: string) {
    super('method-not-allowed', { headers: { Allow: allow } })
  }
}

/** Fixed segments before parameters, from the left, so that `mine` is no id in `/products/mine`, nor in `/products/mine/{id}`. */
function byPath<Deps>(routes: readonly Route<Deps>[]): [string, Route<Deps>[]][] {
  const paths = new Map<string, Route<Deps>[]>()
  for (const route of routes) paths.set(route.spec.path, [...(paths.get(route.spec.path) ?? []), route])
  return [...paths].sort(([a], [b]) => (a < b ? -1 : 1)) // `{` comes after whatever a segment begins with
}

function pipeline<Deps>(route: Route<Deps>, options: HttpOptions<Deps>, problems: ProblemTable): Handler {
  const { spec } = route
  const parse = requestParser(spec)
  const render = rendererOf(spec)
  const { idempotencySecret: secret, deadlineMs = DEADLINE_MS } = options
  if (spec.idempotent && secret === undefined)
    throw new Error(`${spec.operationId} takes an Idempotency-Key and needs a secret`)

  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
    params: Record<string, unknown>,
  ): Promise<void> => {
    const caller = await admit(spec, request, options.authenticate)
    if (caller && request.facts) request.facts.callerId = caller.id
    const body = await readBody(spec, request)
    if (response.headersSent) return // the body came too late
    const parsed = parse(request, params, body)
    const input = {
      ...parsed,
      caller,
      address: clientAddress(request),
      get log() {
        return options.log.child({ requestId: request.id })
      },
      once: secret === undefined ? undefined : onceOf(spec, caller, parsed, secret),
      render: (reply: AnyReply) => render(reply).answer,
    }
    const reply = await route.handle(input as never, options.deps)
    if (response.headersSent) return // the deadline was faster
    if ('problem' in reply) sendReply(request, response, spec, problems, reply)
    else sendAnswer(request, response, spec, 'answer' in reply ? { ...reply, headers: {} } : render(reply))
  }

  return async (request, response, params) => {
    request.facts = { route: spec.path }
    const deadline = setTimeout(() => {
      if (response.headersSent) return
      const late = request.complete
        ? problem('outcome-unknown')
        : problem('request-timeout', { headers: { Connection: 'close' } }) // RFC 9110 §15.5.9
      sendReply(request, response, spec, problems, late)
    }, deadlineMs)
    try {
      await answer(request, response, params)
    } catch (error) {
      const reply = refusalOf(error, spec.method)
      await arrival(request, reply.problem === 'content-too-large')
      const isFailure = problems[reply.problem]?.status === 500 || asOutage(error) !== undefined
      if (response.headersSent || response.closed) {
        // The deadline was faster, or the client has gone: the line of the request is written.
        if (isFailure) options.log.error({ requestId: request.id, err: error as Error }, 'failed after its end')
      } else {
        if (isFailure) response.err = error as Error
        sendReply(request, response, spec, problems, reply)
      }
    } finally {
      clearTimeout(deadline)
    }
  }
}

const clientAddress = (request: IncomingMessage): string => {
  const forwarded = request.headers['x-forwarded-for'] // Nginx overwrites it with the one address that it saw
  return (typeof forwarded === 'string' && forwarded) || request.socket.remoteAddress || ''
}

function onceOf(spec: RouteSpec, caller: Caller | undefined, parsed: Parsed, secret: string): Once | undefined {
  const key = parsed.headers['idempotency-key']
  if (!caller || typeof key !== 'string') return undefined
  const { params, query, body } = parsed
  return {
    callerId: caller.id,
    route: `${spec.method.toUpperCase()} ${spec.path}`,
    key,
    fingerprint: fingerprintOf(secret, { params, query, body: printed(spec, body) }),
  }
}

function printed({ unprinted }: RouteSpec, body: unknown): unknown {
  if (!unprinted || typeof body !== 'object' || body === null) return body
  return Object.fromEntries(Object.entries(body).filter(([field]) => !unprinted.includes(field)))
}

type Rendered = RenderedReply & { headers: Readonly<Record<string, string>> }

/** Serialises a reply after its schema has taken out whatever is not declared; a reply that breaks its schema is a bug (500). */
export function rendererOf(spec: RouteSpec) {
  return (reply: AnyReply): Rendered => {
    if (!('status' in reply)) throw new Error(`${spec.operationId} rendered something else than a reply`)
    const declared = spec.responses[reply.status]
    if (!declared) throw new Error(`${spec.operationId} answered an undeclared ${reply.status}`)
    const body = declared.body ? JSON.stringify(declared.body.parse(reply.body)) : ''
    const { Location: location = null, ETag: etag = null, ...headers } = reply.headers ?? {}
    return { answer: { status: reply.status, location, etag, body }, replayed: false, headers }
  }
}

function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  spec: RouteSpec,
  { answer, replayed, headers }: Rendered,
): void {
  const reading = spec.method === 'get' && answer.status === 200
  const etag = answer.etag ?? (reading ? weakTag(answer.body) : null)
  response.statusCode = answer.status
  if (answer.location !== null) response.setHeader('Location', answer.location)
  if (etag !== null) response.setHeader('ETag', etag)
  if (replayed) response.setHeader('Idempotency-Replayed', 'true')
  response.setHeader('Cache-Control', cacheControl(spec, request))
  if (spec.shared) response.setHeader('Vary', 'Authorization')
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  const seen = request.headers['if-none-match']
  if (reading && etag !== null && seen !== undefined && matchesAny(seen, etag)) {
    response.statusCode = 304
    response.end()
  } else if (answer.body === '') {
    response.end()
  } else {
    response.setHeader('Content-Type', 'application/json; charset=utf-8')
    response.end(answer.body)
  }
}

const cacheControl = (spec: RouteSpec, request: IncomingMessage): string => {
  if (spec.method !== 'get') return 'no-store'
  return spec.shared && request.headers.authorization === undefined ? 'no-cache' : 'private, no-cache'
}

function sendReply(
  request: IncomingMessage,
  response: ServerResponse,
  spec: RouteSpec,
  problems: ProblemTable,
  reply: ProblemReply,
): void {
  if (!spec.errors) return sendProblem(request, response, problems, reply)
  const { status, body } = spec.errors.render(bodyOf(request, problems, reply))
  setProblemHeaders(response, problems, reply)
  response.statusCode = status
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.end(JSON.stringify(body))
}

/** RFC 9457. */
function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  problems: ProblemTable,
  reply: ProblemReply,
): void {
  const body = bodyOf(request, problems, reply)
  setProblemHeaders(response, problems, reply)
  response.statusCode = body.status
  response.setHeader('Content-Type', 'application/problem+json')
  response.end(JSON.stringify(body))
}

const bodyOf = (request: IncomingMessage, problems: ProblemTable, reply: ProblemReply) =>
  problemBody(problems, reply, { instance: pathOf(request), requestId: request.id })

function setProblemHeaders(
  response: ServerResponse,
  problems: ProblemTable,
  { problem: code, headers }: ProblemReply,
): void {
  const { status, retryAfter } = problems[code] ?? {}
  if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer')
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(retryAfter))
  response.setHeader('Cache-Control', 'no-store')
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value)
}

/** What an exception tells a client: plumbing's refusals and outages by their code, anything else is a fault of ours. */
function refusalOf(error: unknown, method?: RouteSpec['method']): ProblemReply {
  if (error instanceof ProblemError) return error.reply
  const outage = asOutage(error)
  if (outage) return problem(method === 'get' ? 'database-unavailable' : outage.code) // nothing can have come of a read
  // Of Express's router: a malformed escape in the path.
  if (error instanceof URIError) return problem('bad-request', { detail: 'The path has a malformed escape.' })
  return problem('internal-error')
}

/** Catches what is raised outside of a pipeline: unknown methods, malformed paths, faults of middleware. */
const errorHandler =
  (problems: ProblemTable): ErrorRequestHandler =>
  (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error)
    const reply = refusalOf(error)
    if (problems[reply.problem]?.status === 500) response.err = error as Error
    sendProblem(request, response, problems, reply)
  }
