import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { problemsLast, type OpenApiDocument } from '@shop/platform/openapi'
import { ROOT, runTool, UserError } from './terminal'

const SERVICES = ['users', 'products', 'orders'] as const
const JOINED = 'openapi.json'
const fileOf = (service: string) => `${service}.openapi.json`
export const FILES = [...SERVICES.map(fileOf), JOINED]

const INFO = {
  title: 'Shop API',
  version: '1.0.0',
  license: { name: 'MIT', identifier: 'MIT' },
  description: `Register, sell, and buy the last unit exactly once.

**First steps on this page**

1. Press **Authorize**: username \`user-1\`, password \`password\`; client id and secret stay empty.
2. Open **GET /products** and press **Execute**: this is what is for sale.
3. Open **POST /orders** and press **Execute**: your order is placed and its stock is taken.

To sell something, authorize as \`seller-1\` with the same password.

**Good to know**

- Refusals are \`application/problem+json\`; every \`code\` is explained under [/problems/](/problems/).
- Lists take \`limit\` and \`cursor\`; \`nextCursor\` of one page is the \`cursor\` of the next, \`null\` at the end.
- Money is integer minor units (\`priceCents\`), times are RFC 3339 in UTC, unknown fields are refused.
- With an \`Idempotency-Key\` a call may be repeated until an answer arrives: it has one effect.
- Access tokens are good for 15 minutes; \`POST /users/token\` with the refresh token gets the next.`,
}

// Nothing is asked of the internet, and its notice about this version of Node is no one's fault here.
const quiet = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' }
const NOTICE = /^.*[╔║╚].*\n/gm

const redocly = (...args: string[]) =>
  runTool(join(ROOT, 'node_modules', '.bin', 'redocly'), args, { env: { ...process.env, ...quiet } }).catch(
    (error: Error) => {
      throw new UserError(error.message.replace(NOTICE, ''))
    },
  )

const serialised = (document: object) => `${JSON.stringify(document, null, 2)}\n`

/** Writes every service's document and the joined one into `folder` and lints them; from what was built, not from sources. */
export async function writeDocuments(folder: string): Promise<void> {
  const documents = await Promise.all(SERVICES.map(builtDocument))
  for (const [index, service] of SERVICES.entries())
    writeFileSync(join(folder, fileOf(service)), serialised(documents[index] ?? {}))
  const joined = join(folder, JOINED)
  await redocly(
    'join',
    ...SERVICES.map((service) => join(folder, fileOf(service))),
    '--without-x-tag-groups',
    '-o',
    joined,
  )
  writeFileSync(joined, serialised(finished(JSON.parse(readFileSync(joined, 'utf8')) as OpenApiDocument, documents)))
  await lint(FILES.map((file) => join(folder, file)))
}

async function builtDocument(service: string): Promise<OpenApiDocument> {
  const file = join(ROOT, service, 'dist', 'document.js')
  if (!existsSync(file)) throw new UserError(`${file} is missing: npm run build`)
  const { document } = (await import(pathToFileURL(file).href)) as { document: OpenApiDocument }
  return document
}

/** The joiner takes the first document's `info` and leaves extensions of the root out. */
function finished(joined: OpenApiDocument, documents: readonly OpenApiDocument[]): OpenApiDocument {
  const { webhooks, ...rest } = joined
  return problemsLast({
    ...rest,
    ...(Object.keys(webhooks ?? {}).length > 0 && { webhooks }),
    info: INFO,
    'x-problems': meanings(documents),
  })
}

function meanings(documents: readonly OpenApiDocument[]): Record<string, unknown> {
  const all = new Map<string, unknown>()
  for (const document of documents) {
    for (const [code, meaning] of Object.entries(document['x-problems'] as object)) {
      const known = all.get(code)
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(meaning))
        throw new UserError(`The problem ${code} of ${document.info.title} means something else in another service.`)
      all.set(code, meaning)
    }
  }
  return Object.fromEntries(all)
}

/** Fails with everything that swagger/redocly.yaml has to say. */
export const lint = (files: readonly string[]) =>
  redocly('lint', ...files, '--config', join(ROOT, 'swagger', 'redocly.yaml'), '--format', 'stylish')

/** What differs between two folders of documents, a file a text: its name and the first lines of the difference. */
export async function drift(committed: string, generated: string): Promise<string[]> {
  const texts = await Promise.all(
    FILES.map(async (file) => {
      const [before, after] = [join(committed, file), join(generated, file)]
      if (!existsSync(before)) return [`swagger/${file} is missing`]
      if (readFileSync(before, 'utf8') === readFileSync(after, 'utf8')) return []
      return [`swagger/${file} is not what the services declare:\n${await difference(before, after)}`]
    }),
  )
  return texts.flat()
}

const SHOWN_LINES = 30

/** Without git there is nothing to show, and still a difference. */
function difference(before: string, after: string): Promise<string> {
  const args = ['diff', '--no-index', '--no-color', '-U1', before, after]
  return new Promise((resolve) => {
    execFile('git', args, { maxBuffer: 64 * 1024 * 1024 }, (_exitCode, stdout) => {
      const lines = stdout.split('\n').slice(4)
      const rest = lines.length - SHOWN_LINES
      resolve([...lines.slice(0, SHOWN_LINES), ...(rest > 0 ? [`… ${rest} more lines`] : [])].join('\n'))
    })
  })
}
