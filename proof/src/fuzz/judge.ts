import { bodyChecker, contractOf, type Contract } from '../contract'
import type { Answer } from '../client'
import { plainText, type Field, type Fields } from './nodes'
import { codesOf, type Operation, type Parameter } from './operations'
import { admits, textsInPath, type Request } from './requests'
import type { Complaint } from './findings'
import { leaksIn } from './leaks'
import type { Resolve, Schema } from './values'

/** Every request ends within this time. */
const PATIENCE_MS = 10_000

/** What nginx, or the part of a service that reads requests, says before it is looked at who asks. */
const BEFORE_ACCESS = [400, 401, 403, 408, 413, 414, 429, 501]

/** What refuses a request line or a header, after which nothing else of them is read. */
const UNREAD = [400, 414]

export function judgeOf(document: Contract, operations: readonly Operation[], resolve: Resolve) {
  const contract = contractOf(document)
  const violationsOf = bodyChecker(document)
  const ownOutages = outagesOf(operations, resolve)
  const validate = (schema: Schema, value: unknown) => violationsOf(schema, value)

  /** Why the document says that a request has to be refused. */
  function objectionsTo(request: Request): string[] {
    const { operation, caller, badToken } = request
    if (isAnother(request)) return []
    return [
      ...(admits(operation, caller.role) ? [] : [`it is not for ${caller.role ?? 'callers without a token'}`]),
      ...(badToken && operation.token !== 'ignored' ? ['its token is not good'] : []),
      ...parameterObjections(request),
      ...bodyObjections(request),
    ]
  }

  /** A value in a path may be the name of another path: `mine` for an id. */
  const isAnother = ({ operation, target }: Request) =>
    ![operation.path, undefined].includes(contract.templateOf(target))

  function parameterObjections({ operation, values, headers }: Request): string[] {
    const found = (part: Parameter['in'], given: Fields) =>
      operation.parameters
        .filter((each) => each.in === part)
        .flatMap(({ name, required, schema }) => {
          const texts = given.fields.filter(([each]) => each === name).map(([, value]) => plainText(value))
          if (texts.length > 1) return [`${part} parameter ${name} is repeated`]
          if (texts[0] === undefined) return required ? [`${part} parameter ${name} is missing`] : []
          return validate(schema, typed(schema, texts[0])).map((violation) => `${part} parameter ${name}: ${violation}`)
        })
    if (!values) return []
    const documented = new Set(operation.parameters.filter((each) => each.in === 'query').map(({ name }) => name))
    const sent = operation.parameters.filter((each) => each.in === 'header').map(({ name }) => name)
    const given = headers.flatMap(([name, value]) => {
      const known = sent.find((each) => each.toLowerCase() === name)
      return known === undefined ? [] : [[known, value.replace(/^[\t ]+|[\t ]+$/g, '')] as const]
    })
    const once = given.filter(([name]) => given.filter(([other]) => other === name).length === 1) // repeated ones are one list
    const inPath = operation.parameters.flatMap(({ in: part, name }): Field[] => {
      const texts = part === 'path' ? textsInPath(values.path, name) : []
      return texts.length > 0 ? [[name, texts.join('')]] : []
    })
    return [
      ...found('path', { fields: inPath }),
      ...found('query', values.query),
      ...found('header', { fields: once }).filter((objection) => !objection.endsWith('is missing')),
      ...values.query.fields
        .filter(([name]) => !documented.has(name))
        .map(([name]) => `query parameter ${JSON.stringify(name)} is unknown`),
    ]
  }

  function bodyObjections({ operation, body, headers }: Request): string[] {
    if (!operation.body) return []
    if (body === undefined || body.length === 0) return operation.body.required ? ['it has no body'] : []
    const type =
      headers
        .find(([name]) => name === 'content-type')?.[1]
        .split(';')[0]
        ?.trim()
        .toLowerCase() ?? ''
    const schema = operation.body.content[type]
    if (!schema) return [`it does not read ${type || 'what has no media type'}`]
    const value = type === 'application/json' ? parsed(body) : { value: formOf(body.toString()) }
    return value === undefined
      ? ['its body is no JSON']
      : validate(schema, value.value).map((violation) => `body: ${violation}`)
  }

  function complaints(request: Request, answer: Answer, secrets: readonly string[]): Complaint[] {
    const { operation, target, method } = request
    if (answer.status === 0) return [{ kind: 'no answer', detail: answer.fault ?? '' }]
    const code = answer.problem?.code ?? ''
    const path = target.split(/[?#]/, 1)[0] ?? ''
    const refusals = objectionsTo(request)
    const isGood = answer.status < 400
    const complain = (condition: boolean, kind: string, detail: string) => (condition ? [{ kind, detail }] : [])
    return [
      ...complain(
        answer.status >= 500 && !ownOutages(operation).has(code),
        `${answer.status} ${code}`,
        answer.text.slice(0, 300),
      ),
      ...contract
        .violations(method.toLowerCase(), path, {
          status: answer.status,
          headers: flat(answer),
          text: method === 'HEAD' ? undefined : answer.text,
        })
        .filter(() => !isRefusedInFront(answer))
        .map((violation) => ({
          kind: `contract: ${violation.replace(/"[^"]*"/g, '…').slice(0, 120)}`,
          detail: violation,
        })),
      ...complain(isGood && refusals.length > 0, `accepted: ${kindOf(refusals[0] ?? '')}`, refusals.join('; ')),
      ...complain(
        !admits(operation, request.caller.role) &&
          !isAnother(request) &&
          !isGood &&
          ![...BEFORE_ACCESS, ...(method === 'HEAD' ? [404, 405] : [])].includes(answer.status) && // it has no code
          code !== 'route-not-found' &&
          code !== 'method-not-allowed',
        `${answer.status} ${code} to who may not call`,
        'who may not call is told more than 401 or 403',
      ),
      ...requestIdComplaints(request, answer),
      ...headerComplaints(answer),
      ...leaksIn(request, answer, secrets),
      ...complain(answer.ms > PATIENCE_MS, 'slow', `it took ${Math.round(answer.ms)} ms`),
    ]
  }
  return { complaints, objectionsTo }
}
export type Judge = ReturnType<typeof judgeOf>

/** Codes of 5xx that only few operations list: an answer to what was asked, like that of a payment provider that is away. */
function outagesOf(operations: readonly Operation[], resolve: Resolve): (operation: Operation) => Set<string> {
  const listed = operations.map((operation) => {
    const fives = Object.entries(operation.responses).filter(([status]) => status.startsWith('5'))
    return { operation, codes: fives.flatMap(([, response]) => codesOf(response, resolve)) }
  })
  return (operation) => {
    const codes = listed.find((each) => each.operation === operation)?.codes ?? []
    const rare = (code: string) => listed.filter((each) => each.codes.includes(code)).length * 4 <= listed.length
    return new Set(codes.filter(rare))
  }
}

/** Nginx refuses what is too long wherever it goes, also where the document has nothing. */
const isRefusedInFront = ({ status, problem }: Answer): boolean =>
  [413, 414].includes(status) && ['content-too-large', 'uri-too-long'].includes(problem?.code ?? '')

const flat = ({ headers }: Answer): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )

/** A text of a path, a query or a header as the value that its schema means. */
function typed({ type }: Schema, text: string): unknown {
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

/** RFC 8259 §8.1: UTF-8, and a byte order mark may be ignored. */
function parsed(body: Buffer): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown }
  } catch {
    return undefined
  }
}

function formOf(text: string): Record<string, unknown> {
  const form = new URLSearchParams(text)
  return Object.fromEntries(
    [...new Set(form.keys())].map((name) => [name, form.getAll(name).length > 1 ? form.getAll(name) : form.get(name)]),
  )
}

/** Faults of one kind differ in names and numbers. */
const kindOf = (objection: string): string => objection.replace(/\{.*\}|"[^"]*"|\d+/g, '…')

function requestIdComplaints(request: Request, { status, rawHeaders, headers, problem }: Answer): Complaint[] {
  const times = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'x-request-id').length
  if (times !== 1) return [{ kind: 'X-Request-Id', detail: `X-Request-Id stands ${times} times` }]
  const sent = request.headers.filter(([name]) => name === 'x-request-id')
  const got = String(headers['x-request-id'])
  if (!/^[A-Za-z0-9._-]{8,64}$/.test(got)) return [{ kind: 'X-Request-Id', detail: `X-Request-Id is ${got}` }]
  const [only] = sent
  if (UNREAD.includes(status) && problem?.code !== 'malformed-json') return []
  return sent.length === 1 && only && got !== only[1] && /^[A-Za-z0-9._-]{8,64}$/.test(only[1])
    ? [{ kind: 'X-Request-Id', detail: `X-Request-Id is ${got} and not the ${only[1]} of the request` }]
    : []
}

function headerComplaints({ rawHeaders, headers }: Answer): Complaint[] {
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  const repeated = [...new Set(names.filter((name, i) => names.indexOf(name) !== i && name !== 'set-cookie'))]
  const telling = ['x-powered-by', 'x-aspnet-version', 'via'].filter((name) => headers[name] !== undefined)
  return [
    ...repeated.map((name) => ({ kind: 'repeated header', detail: `${name} stands more than once` })),
    ...telling.map((name) => ({ kind: 'leak', detail: `${name}: ${String(headers[name])}` })),
    ...(/\d/.test(String(headers['server'])) ? [{ kind: 'leak', detail: `Server: ${String(headers['server'])}` }] : []),
  ]
}
