import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { ColumnTypeEnum, type SqlDriverAdapter } from '@prisma/driver-adapter-utils'
import pg from 'pg'
import { withMigrationEngine } from '../src/migration-engine'
import { type TestDatabase, createDatabase } from '../../tests/support/database'

// Prisma's client believes its datamodel, Postgres the migrations: the engine compares them.

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())

const readDatamodel = (schema: string) =>
  readFile(path.resolve(__dirname, `../../${schema}/prisma/schema.prisma`), 'utf8')

/** The statements that would turn the migrated schema into the datamodel. */
async function drift(schema: string, datamodel: string): Promise<string> {
  const client = new pg.Client({ connectionString: database.ownerUrl, options: `-c search_path=${schema}` })
  await client.connect()
  const { query, adapt } = knowingChar(client)
  const files = [{ path: 'schema.prisma', content: datamodel }]
  try {
    const { stdout } = await withMigrationEngine(Object.assign(client, { query }), schema, adapt, (engine) =>
      engine.diff({
        from: { tag: 'schemaDatasource', files, configDir: '' },
        to: { tag: 'schemaDatamodel', files },
        script: true,
        exitCode: null,
        filters: { externalTables: [], externalEnums: [] },
      }),
    )
    return stdout ?? ''
  } finally {
    await client.end()
  }
}

test.each(['users', 'products', 'orders'])('the datamodel of %s is what its migrations make', async (schema) => {
  expect(await drift(schema, await readDatamodel(schema))).toBe('-- This is an empty migration.\n')
})

test('a difference is seen', async () => {
  const changed = (await readDatamodel('orders')).replace('notes           String?', 'notes           String')
  expect(await drift('orders', changed)).toContain('ALTER COLUMN "notes" SET NOT NULL')
})

/** The engine reads columns of the catalogue's own type "char" (18), which Prisma's adapter doesn't know: text (25) by another name. */
function knowingChar(client: pg.Client) {
  const query = client.query.bind(client) as (config: pg.QueryArrayConfig) => Promise<pg.QueryArrayResult>
  let chars: number[] = []
  return {
    query: async (config: pg.QueryArrayConfig) => {
      const result = await query(config)
      chars = result.fields.flatMap((field, index) => (field.dataTypeID === 18 ? [index] : []))
      for (const field of result.fields) if (field.dataTypeID === 18) field.dataTypeID = 25
      return result
    },
    adapt: (adapter: SqlDriverAdapter) => {
      const queryRaw = adapter.queryRaw.bind(adapter)
      adapter.queryRaw = async (sql) => {
        const result = await queryRaw(sql)
        for (const index of chars) result.columnTypes[index] = ColumnTypeEnum.Character
        return result
      }
    },
  }
}
