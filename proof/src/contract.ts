import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv/dist/2020'
import addFormats from 'ajv-formats'
import { closedComponents, closedSchema } from './closed-schema'

/** As much of an OpenAPI 3.1 document as is needed to hold an answer to it. */
export type Contract = {
  openapi: string
  paths?: object | undefined
  components?: { schemas?: object | undefined } | undefined
}
type Node = Record<string, unknown>
type Parameter = { name: string; in: string; schema?: Node }
type Operation = { operationId?: string; parameters?: Parameter[]; responses?: Record<string, unknown> }
type Header = { required?: boolean; schema?: Node }
type DocumentedResponse = { headers?: Record<string, unknown>; content?: Record<string, { schema?: Node }> }

export const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const

/** Headers that mean something to clients: one that is sent must be documented. */
const TOLD = ['location', 'etag', 'retry-after', 'www-authenticate', 'idempotency-replayed']

export type CheckedContract = {
  /** The documented path that serves an actual one. */
  templateOf: (path: string) => string | undefined
  /** Where an answer breaks the document, in words. The method is in lower case. */
  violations: (method: string, path: string, response: Answer) => string[]
  /** Raises an error that lists every violation. */
  check: (method: string, path: string, response: Answer) => void
}
/** What is looked at of a response; supertest's fits, whose `text` is missing after HEAD. */
type Answer = { status: number; headers: Record<string, string | undefined>; text?: string | undefined }

const compiled = new WeakMap<Contract, CheckedContract>()

/** The checks of a document, made once. */
export function contractOf(document: Contract): CheckedContract {
  const known = compiled.get(document) ?? compile(document)
  compiled.set(document, known)
  return known
}

function compile(document: Contract): CheckedContract {
  const { findOperation, templateOf } = operationFinder(document)
  const violationsOf = bodyChecker(document)
  const violations: CheckedContract['violations'] = (method, path, response) => {
    const found = findOperation(method, path)
    return [
      ...(response.headers['x-request-id'] ? [] : ['has no X-Request-Id']),
      ...(typeof found === 'string'
        ? outsideViolations(found, response)
        : insideViolations(document, found, method, response, violationsOf)),
    ]
  }
  return {
    templateOf,
    violations,
    check: (method, path, response) => {
      const found = violations(method, path, response)
      if (found.length === 0) return
      const sent = response.text ? `\n  it sent: ${response.text.slice(0, 1000)}` : ''
      throw new Error(
        `${method.toUpperCase()} ${path} answered ${response.status}, against the contract:\n  - ${found.join('\n  - ')}${sent}`,
      )
    },
  }
}

/** The operation that serves a path, or what is missing from the document. Fixed segments win over parameters, from the left. */
function operationFinder(document: Contract) {
  const templates = Object.entries((document.paths ?? {}) as Record<string, Node>)
    .sort(([a], [b]) => (a < b ? -1 : 1)) // `{` comes after whatever a segment begins with
    .map(([template, item]) => {
      const pattern = (segment: (name: string) => string) =>
        new RegExp(
          `^${template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\w+)\}/g, (_, name: string) => segment(name))}$`,
        )
      const ids = idsOf(item)
      return {
        name: template,
        item,
        matches: pattern(() => '[^/]+'),
        fits: pattern((name) => (ids.has(name) ? UUID : '[^/]+')),
      }
    })
  const bareOf = (path: string) => path.split(/[?#]/, 1)[0] ?? ''
  const templateAt = (path: string) => templates.find(({ matches }) => matches.test(bareOf(path)))
  const findOperation = (method: string, path: string): Operation | 'no such path' | 'no such method' => {
    const template = templateAt(path)
    if (!template) return 'no such path'
    const operation = template.item[method === 'head' ? 'get' : method] as Operation | undefined
    return operation ?? (template.fits.test(bareOf(path)) ? 'no such method' : 'no such path')
  }
  return { findOperation, templateOf: (path: string) => templateAt(path)?.name }
}

const UUID = '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'

/** The parameters of a path that are UUIDs, as its operations say. */
const idsOf = (item: Node): Set<string> =>
  new Set(
    Object.values(item as Record<string, Operation>)
      .flatMap(({ parameters = [] }) => parameters)
      .filter((parameter) => parameter.in === 'path' && parameter.schema?.['format'] === 'uuid')
      .map(({ name }) => name),
  )

function outsideViolations(missing: 'no such path' | 'no such method', response: Answer): string[] {
  const [status, code] = missing === 'no such path' ? [404, 'route-not-found'] : [405, 'method-not-allowed']
  // of HEAD there is no more to see
  if (response.status === 400 && response.text === undefined) return []
  if (response.status === 400 && codeOf(response) === 'bad-request') return problemViolations(response) // malformed path
  if (response.status !== status) return [`the document has ${missing}, so only ${status} may be answered`]
  return [
    ...(response.headers['content-type'] ? [] : ['has no content type']),
    ...(response.text && codeOf(response) !== code ? [`code is not ${code}`] : []),
    ...(status === 405 && !response.headers['allow'] ? ['has no Allow'] : []),
    ...(response.text ? problemViolations(response) : []),
  ]
}

function insideViolations(
  document: Contract,
  operation: Operation,
  method: string,
  response: Answer,
  bodyViolations: (schema: Node, value: unknown) => string[],
): string[] {
  const statuses = Object.keys(operation.responses ?? {})
  const entry = operation.responses?.[String(response.status)]
  if (!entry) return [`${response.status} is not documented for ${operation.operationId}: only ${statuses.join(', ')}`]
  const documented = resolve<DocumentedResponse>(document, entry)
  return [
    ...headerViolations(document, documented, response, bodyViolations),
    ...contentViolations(document, documented, method, response, bodyViolations),
  ]
}

function headerViolations(
  document: Contract,
  documented: DocumentedResponse,
  response: Answer,
  bodyViolations: (schema: Node, value: unknown) => string[],
): string[] {
  const headers = Object.entries(documented.headers ?? {}).map(
    ([name, header]) => [name.toLowerCase(), resolve<Header>(document, header)] as const,
  )
  const sent = response.headers
  const documentedNames = new Set(headers.map(([name]) => name))
  return [
    ...headers.flatMap(([name, { required, schema }]) => {
      const value = sent[name]
      if (value === undefined) return required ? [`header ${name} is missing`] : []
      const typed = schema?.['type'] === 'integer' && /^\d+$/.test(value) ? Number(value) : value
      return bodyViolations(schema ?? {}, typed).map((violation) => `header ${name}: ${violation}`)
    }),
    ...TOLD.filter((name) => sent[name] !== undefined && !documentedNames.has(name)).map(
      (name) => `header ${name} is not documented`,
    ),
  ]
}

function contentViolations(
  document: Contract,
  documented: DocumentedResponse,
  method: string,
  response: Answer,
  bodyViolations: (schema: Node, value: unknown) => string[],
): string[] {
  const types = Object.keys(documented.content ?? {})
  if (types.length === 0) return response.text ? ['has a body, and none is documented'] : []
  const type = response.headers['content-type']
  const media = type?.split(';', 1)[0]?.trim().toLowerCase()
  const schema = media === undefined ? undefined : documented.content?.[media]?.schema
  if (!schema) return [`content type ${type ?? '(none)'} is not documented: only ${types.join(', ')}`]
  if (method === 'head') return []
  const body = parseJson(response.text)
  if (body === undefined) return ['the body is not JSON']
  if (media !== 'application/problem+json') return bodyViolations(schema, body)
  const variants = variantsOf(document, schema)
  const code = String(codeOf(response))
  const variant = variants.get(code)
  if (!variant)
    return [`code ${code} is not documented for ${response.status}: only ${[...variants.keys()].join(', ')}`]
  return [...problemViolations(response), ...bodyViolations(variant, body)]
}

/** The schemas that a problem can have, by its code. */
function variantsOf(document: Contract, schema: Node): Map<string, Node> {
  const variants = (schema['oneOf'] ?? schema['anyOf'] ?? [schema]) as Node[]
  return new Map(
    variants.flatMap((variant) => {
      const { code } =
        resolve<{ properties?: { code?: { const?: string; enum?: string[] } } }>(document, variant).properties ?? {}
      return (code?.enum ?? [code?.const ?? '']).map((each): [string, Node] => [each, variant])
    }),
  )
}

/** What every problem says twice must agree: type and code, status and status line, request id and header. */
function problemViolations(response: Answer): string[] {
  const type = response.headers['content-type']
  if (!type?.startsWith('application/problem+json')) return [`content type ${type ?? '(none)'} is not problem+json`]
  const body = parseJson(response.text) as Record<string, unknown> | undefined
  const expected: Record<string, unknown> = {
    type: `/problems/${String(body?.['code'])}`,
    status: response.status,
    requestId: response.headers['x-request-id'],
  }
  return Object.entries(expected)
    .filter(([member, value]) => body?.[member] !== value)
    .map(
      ([member, value]) =>
        `${member} of the problem is ${JSON.stringify(body?.[member])}, not ${JSON.stringify(value)}`,
    )
}

const codeOf = (response: Answer) => (parseJson(response.text) as { code?: string } | undefined)?.code

/** Violations of a value, one line each. Every schema is compiled once, with its objects closed. */
export function bodyChecker(document: Contract) {
  const ajv = new Ajv({
    strictSchema: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    allErrors: true,
    allowUnionTypes: true,
  })
  addFormats(ajv)
  // OpenAPI's own words beside JSON Schema's; anything else that ajv does not know is a mistake in the document.
  ajv.addVocabulary(['discriminator', 'example', 'externalDocs', 'xml'])
  for (const [id, schema] of closedComponents((document.components?.schemas ?? {}) as Record<string, Node>))
    ajv.addSchema(schema, id)
  const validators = new Map<Node, ValidateFunction>()
  return (schema: Node, value: unknown): string[] => {
    const validate = validators.get(schema) ?? ajv.compile(closedSchema(schema))
    validators.set(schema, validate)
    return validate(value) ? [] : readable(validate.errors ?? [])
  }
}

/** The refusal of a choice as such says less than those of what could have been chosen. */
function readable(errors: readonly ErrorObject[]): string[] {
  const lines = errors
    .filter(({ keyword }) => errors.length === 1 || (keyword !== 'anyOf' && keyword !== 'oneOf'))
    .map(({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`)
  return [...new Set(lines)]
}

function parseJson(text = ''): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Follows `$ref`s within the document. */
export function resolve<T>(document: Contract, node: unknown): T {
  const pointer = (node as { $ref?: string }).$ref
  if (pointer === undefined) return node as T
  const steps = pointer.replace(/^#\//, '').split('/')
  const target = steps.reduce<unknown>(
    (at, step) => (at as Node | undefined)?.[step.replace(/~1/g, '/').replace(/~0/g, '~')],
    document,
  )
  if (target === undefined) throw new Error(`${pointer} points nowhere`)
  return resolve(document, target)
}
