import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { PrismaPg } from '@prisma/adapter-pg'
import {
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
  bindMigrationAwareSqlAdapterFactory,
} from '@prisma/driver-adapter-utils'
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg'
import pg from 'pg'

export type MigrationEngine = glue.SchemaEngine

// Node's types leave it out, and the browser's bring much that Node hasn't.
declare const WebAssembly: {
  instantiate(code: Uint8Array, imports: object): Promise<{ instance: { exports: Record<string, unknown> } }>
}

let loading: Promise<void> | undefined

/** Prisma Migrate itself, as WebAssembly: nothing is downloaded, and nothing but Node runs. */
async function load(): Promise<void> {
  // Here the engine says why it panics, just before it stops for good without an answer: so that must end the process.
  const panicked = (reason: string): never => {
    throw new Error(`the migration engine panicked: ${reason}`)
  }
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message: panicked } })
  const file = createRequire(__filename)
    .resolve('@prisma/schema-engine-wasm/schema_engine_bg')
    .replace(/\.js$/, '.wasm')
  // The engine leaves a timer of 10 s behind (its patience for its lock), for which the process should not stay.
  const timer = (callback: () => void, ms: number) => setTimeout(callback, ms).unref()
  const imports = Object.fromEntries(
    Object.entries(glue).map(([name, value]) => [name, name.startsWith('__wbg_setTimeout_') ? timer : value]),
  )
  const { instance } = await WebAssembly.instantiate(readFileSync(file), { './schema_engine_bg.js': imports })
  glue.__wbg_set_wasm(instance.exports)
  const start = instance.exports['__wbindgen_start'] as () => void
  start()
}

/**
 * Runs `use` with an engine whose every statement goes through `client`, so that the caller's transaction, search path and
 * locks are the engine's too. The search path must start with `schema`; `adapt` may change how statements are run.
 */
export async function withMigrationEngine<T>(
  client: pg.Client,
  schema: string,
  adapt: (adapter: SqlDriverAdapter) => void,
  use: (engine: MigrationEngine) => Promise<T>,
): Promise<T> {
  await (loading ??= load())
  const prisma = new PrismaPg(poolOf(client), { schema })
  const factory: SqlMigrationAwareDriverAdapterFactory = {
    provider: prisma.provider,
    adapterName: prisma.adapterName,
    connect: async () => {
      const adapter = await prisma.connect()
      adapt(adapter)
      return adapter
    },
    connectToShadowDb: () => Promise.reject(new Error('no shadow database is used')),
  }
  const engine = await glue.SchemaEngine.new(
    { datamodels: undefined },
    () => {},
    bindMigrationAwareSqlAdapterFactory(factory),
  )
  try {
    return await use(engine)
  } finally {
    engine.free()
  }
}

/** Looks like a pool to Prisma's adapter, and is one connection. */
const poolOf = (client: pg.Client): pg.Pool =>
  Object.assign<pg.Pool, object>(new pg.Pool(), { query: client.query.bind(client) })
