import type { Logger } from 'pino'
import type { z } from 'zod'
import type { Caller } from './authentication'
import type { Answer, ClaimRefusal, Once, RenderedReply } from './idempotency'
import type { ProblemBody, ProblemReply, ProblemTable } from './problems'

/**
 * Who may call. `public`: anyone, but a token that is sent must be good. `authenticated`: any role. `roles`: one of these.
 * `credentials`: the call carries its own credentials and does not read Authorization as a bearer token (the token endpoints).
 */
export type Access = 'public' | 'authenticated' | 'credentials' | { roles: readonly string[] }

type ResponseSpec = {
  description: string
  body?: z.ZodType
  headers?: readonly ('Location' | 'ETag')[]
}

/** Everything that is said of a call, once: types, validation, response allow-list and OpenAPI come from it. */
export type RouteSpec<Code extends string = string> = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** OpenAPI path template. */
  path: `/${string}`
  operationId: string
  tag: string
  summary: string
  description?: string
  access: Access
  params?: z.ZodObject
  query?: z.ZodObject
  headers?: z.ZodObject
  body?: z.ZodType
  /** The body may also come as application/x-www-form-urlencoded. */
  form?: true
  /** Anonymous answers are the same for everybody and may be kept by a shared cache that revalidates. */
  shared?: true
  /** Takes an Idempotency-Key. */
  idempotent?: true
  /** Fields of the body that the fingerprint of a key leaves out: nothing that is derived from them may be kept. */
  unprinted?: readonly string[]
  responses: Readonly<Record<number, ResponseSpec>>
  /** Codes of the service that this call can answer; those that every call can are added. */
  problems: readonly Code[]
  /** Refusals in another format than problem+json (RFC 6749 §5.2). */
  errors?: {
    schema: z.ZodType
    statuses: readonly number[]
    render: (problem: ProblemBody) => { status: number; body: Record<string, unknown> }
  }
}

type Output<T> = T extends z.ZodType ? z.output<T> : Record<string, never>
type CallerOf<A extends Access> = A extends 'public' ? Caller | undefined : A extends 'credentials' ? undefined : Caller

type StatusReply<Status, R> = {
  status: Status
  headers?: Readonly<Record<string, string>>
} & (R extends { body: infer B extends z.ZodType } ? { body: z.input<B> } : { body?: undefined })

/** One of the declared answers. */
export type ReplyOf<S extends RouteSpec> = {
  [Status in keyof S['responses']]: StatusReply<Status, S['responses'][Status]>
}[keyof S['responses']]

/** An answer of a handler; its status stays a literal, so that it is held to the declared ones. */
export const reply = <const Status extends number, Body = undefined>(
  status: Status,
  body?: Body,
  headers: Readonly<Record<string, string>> = {},
): { status: Status; body: Body; headers: Readonly<Record<string, string>> } => ({
  status,
  body: body as Body,
  headers,
})

export type InputOf<S extends RouteSpec> = {
  params: Output<S['params']>
  query: Output<S['query']>
  headers: Output<S['headers']>
  body: Output<S['body']>
  caller: CallerOf<S['access']>
  /** Address of the client: what Nginx says it is, else the peer's. */
  address: string
  log: Logger
  /** Set when the request carries an Idempotency-Key. */
  once: Once | undefined
  /** The reply as it will go out: allow-listed by its schema and serialised. */
  render: (reply: ReplyOf<S>) => Answer
}

/** The codes that a handler may answer: those that its route declares, and those that are documented for every such route. */
type AnswerableCode<S extends RouteSpec> =
  S['problems'][number] | 'validation-failed' | (S extends { idempotent: true } ? ClaimRefusal : never)

export type Handler<S extends RouteSpec, Deps> = (
  input: InputOf<S>,
  deps: Deps,
) => Promise<ReplyOf<S> | ProblemReply<AnswerableCode<S>> | RenderedReply>

/** A declared route with its types erased, as the HTTP application serves it. */
export type Route<Deps = never> = { spec: RouteSpec; handle: (input: never, deps: Deps) => Promise<AnyReply> }
export type AnyReply =
  { status: number; headers?: Readonly<Record<string, string>>; body?: unknown } | ProblemReply | RenderedReply

/**
 * The `route` of a service whose handlers need `Deps` and whose problems are `table`: only its codes can be declared and
 * answered. Routes are constants: what they need is handed to the application that serves them.
 */
export const routesOf =
  <Deps>() =>
  <Table extends ProblemTable>(_table: Table) =>
  <const S extends RouteSpec<keyof Table & string>>(spec: S, handle: Handler<S, Deps>): Route<Deps> => ({
    spec,
    // The types end here: the pipeline feeds `handle` what the schemas of the same `spec` returned.
    handle: handle as unknown as Route<Deps>['handle'],
  })
