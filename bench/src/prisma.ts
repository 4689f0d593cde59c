import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answers } from '../../scripts/src/nginx'
import { freePorts } from '../../scripts/src/ports'
import type { Stack } from '../../scripts/src/stack'
import { ROOT, runTool } from '../../scripts/src/terminal'

/** Starts a process that answers the catalogue's first page from Prisma's findMany; returns its URL. */
export async function startPrismaList(stack: Stack): Promise<string> {
  const client = await generateClient()
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  await stack.run({
    name: 'prisma-list',
    command: process.execPath,
    args: ['-r', join(ROOT, 'scripts', 'test', 'typescript.cjs'), join(__dirname, 'prisma-list.ts'), client],
    env: { PATH: process.env.PATH, NODE_ENV: process.env.NODE_ENV, PORT: String(port), DATABASE_URL: stack.ownerUrl },
    cwd: ROOT,
    ready: () => answers(`${url}/products`, (status) => status === 200),
  })
  return url
}

/** The products service has no client of Prisma's, so one is made of its schema, like that of users. */
async function generateClient(): Promise<string> {
  const folder = join(ROOT, 'bench', 'generated')
  const schema = join(folder, 'schema.prisma')
  const generator = `generator client {
  provider            = "prisma-client"
  output              = "./prisma"
  moduleFormat        = "cjs"
  importFileExtension = ""
}

`
  mkdirSync(folder, { recursive: true })
  writeFileSync(schema, generator + readFileSync(join(ROOT, 'products', 'prisma', 'schema.prisma'), 'utf8'))
  const prisma = join(ROOT, 'node_modules', '.bin', 'prisma')
  // The client is made by WebAssembly; naming an engine keeps Prisma from downloading one that is never run.
  await runTool(prisma, ['generate', '--schema', schema], {
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
  })
  return join(folder, 'prisma', 'client')
}
