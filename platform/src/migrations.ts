import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { type SqlDriverAdapter } from '@prisma/driver-adapter-utils'
import pg from 'pg'
import { withMigrationEngine } from './migration-engine'

export type ServiceMigrations = { schema: string; directory: string }
type LocalMigration = { name: string; sql: string }

/** Our own key of a database-wide lock, held from the first to the last step. */
const MIGRATION_LOCK = 5_016_820

/**
 * Makes the login roles, the schemas, and whatever of each service's migrations the database hasn't yet, in the given order.
 * Runs as the owner of everything it makes. Safe to repeat and to run twice at once: the second waits and finds nothing to do.
 * A service's new migrations are applied in one transaction: one that fails leaves nothing behind.
 */
export async function migrate(options: {
  databaseUrl: string
  roles: readonly { name: string; password: string }[]
  services: readonly ServiceMigrations[]
  log: (line: string) => void
}): Promise<void> {
  const client = new pg.Client({
    connectionString: options.databaseUrl,
    application_name: 'migrate',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  })
  // A lost connection fails the statement in flight; unheard, the event would end the process before that is told.
  client.on('error', () => {})
  await client.connect()
  try {
    await waitForLock(client, options.log)
    for (const role of options.roles) await createRole(client, role)
    for (const service of options.services) {
      const started = Date.now()
      const applied = await inServiceSchema(client, service, () => applyMigrations(client, service, options.log))
      const what = applied.length > 0 ? `applied ${applied.join(', ')}` : 'up to date'
      options.log(`${service.schema}: ${what} (${Date.now() - started} ms)`)
    }
  } finally {
    await client.end()
  }
}

/** The names of migrations in `directory` which the database hasn't applied: all of them before the first migration. */
export async function pendingMigrations(pool: pg.Pool, schema: string, directory: string): Promise<string[]> {
  const table = `${pg.escapeIdentifier(schema)}._prisma_migrations`
  const exists = await pool.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [table])
  if (!exists.rows[0]?.exists) return migrationNames(directory)
  const { rows } = await pool.query<{ migration_name: string }>(
    `select migration_name from ${table} where finished_at is not null and rolled_back_at is null`,
  )
  const applied = new Set(rows.map((row) => row.migration_name))
  return (await migrationNames(directory)).filter((name) => !applied.has(name))
}

async function waitForLock(client: pg.Client, log: (line: string) => void): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [MIGRATION_LOCK])
  if (rows[0]?.taken) return
  log('another migration is running: waiting for it')
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
}

/**
 * Roles belong to the whole cluster, where migrations of other databases may be making the same ones: their locks don't meet
 * ours, so a collision is tried again. The password is a parameter, and errors are raised anew, because the text of a failing
 * statement goes to the server's log.
 */
async function createRole(client: pg.Client, role: { name: string; password: string }): Promise<void> {
  await client.query('begin')
  await client.query(`select set_config('migrate.role', $1, true), set_config('migrate.password', $2, true)`, [
    role.name,
    role.password,
  ])
  await client.query(`
    do $$
    declare
      command text;
    begin
      for attempt in 1..100 loop
        begin
          command := case when exists (select from pg_roles where rolname = current_setting('migrate.role'))
            then 'alter' else 'create' end;
          execute format(command || ' role %I login password %L',
            current_setting('migrate.role'), current_setting('migrate.password'));
          return;
        exception
          -- internal_error: "tuple concurrently updated"
          when duplicate_object or unique_violation or internal_error then perform pg_sleep(random() * 0.02);
          when others then raise exception using errcode = sqlstate,
            message = format('%s role %I: %s', command, current_setting('migrate.role'), sqlerrm);
        end;
      end loop;
      raise exception 'role % is being changed by others all the time', current_setting('migrate.role');
    end $$`)
  await client.query('commit')
}

/** One transaction whose search path is the service's schema, so that the engine keeps its `_prisma_migrations` there. */
async function inServiceSchema<T>(
  client: pg.Client,
  { schema }: ServiceMigrations,
  work: () => Promise<T>,
): Promise<T> {
  await client.query('begin')
  try {
    await client.query(`create schema if not exists ${pg.escapeIdentifier(schema)}`)
    await client.query(`set local search_path to ${pg.escapeIdentifier(schema)}`)
    // A change that waits for a busy table holds up everybody behind it: rather fail, and be tried again.
    await client.query(`set local lock_timeout = '10s'`)
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

async function applyMigrations(
  client: pg.Client,
  { schema, directory }: ServiceMigrations,
  log: (line: string) => void,
): Promise<string[]> {
  const migrations = await localMigrations(directory)
  const migrationsList = {
    baseDir: directory,
    lockfile: {
      path: 'migration_lock.toml',
      content: await readFile(path.join(directory, 'migration_lock.toml'), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
    })),
  }
  const filters = { externalTables: [], externalEnums: [] }
  // The engine wraps what goes wrong in pages of its own, and then fails to record it in the failed transaction.
  let failure: Error | undefined
  const runScript = async (script: string): Promise<void> => {
    await client.query(script).catch((error: Error) => {
      const name = migrations.find(({ sql }) => sql === script)?.name ?? '?'
      throw (failure ??= new Error(`${schema}/${name} failed${describe(error, script)}`, { cause: error }))
    })
  }
  // The adapter's own way would cut the script at every semicolon, those in comments and function bodies too.
  const adapt = (adapter: SqlDriverAdapter) => void (adapter.executeScript = runScript)
  return withMigrationEngine(client, schema, adapt, async (engine) => {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters })
    const { editedMigrationNames } = await engine.diagnoseMigrationHistory({
      migrationsList,
      optInToShadowDatabase: false,
      filters,
    })
    for (const name of editedMigrationNames) log(`${schema}: warning: ${name} was changed after it had been applied`)
    return appliedMigrationNames
  }).catch((error: unknown) => {
    throw failure ?? new Error(`migrating schema ${schema} failed`, { cause: error })
  })
}

function describe(error: Error, script: string): string {
  if (!(error instanceof pg.DatabaseError)) return `: ${error.message}`
  const line = error.position ? ` at line ${script.slice(0, Number(error.position)).split('\n').length}` : ''
  const hints = [error.detail, error.hint].filter((text) => text !== undefined).map((text) => `; ${text}`)
  return `${line}: ${error.message} (SQLSTATE ${error.code})${hints.join('')}`
}

async function migrationNames(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

async function localMigrations(directory: string): Promise<LocalMigration[]> {
  const names = await migrationNames(directory)
  return Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(path.join(directory, name, 'migration.sql'), 'utf8') })),
  )
}
