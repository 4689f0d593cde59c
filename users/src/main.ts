import path from 'node:path'
import { z } from 'zod'
import { Port, databaseConfig, flag, loadConfig, serviceConfig, tokenConfig } from '@shop/platform/config'
import { makeLog } from '@shop/platform/logging'
import { databaseReady, operationsOf, type ReadinessCheck } from '@shop/platform/operations'
import { periodically, untilDone } from '@shop/platform/periodic'
import { openPool } from '@shop/platform/postgres'
import { runService } from '@shop/platform/server'
import { accessTokens, signingKeys } from './access-tokens'
import { openPrisma } from './accounts'
import { adminCredentials, seedAdmin } from './admin-account'
import { usersApp } from './app'
import { loadDemoAccounts } from './demo-accounts'
import { document } from './document'
import { dropExpiredRows } from './expired-rows'
import { failureLimits } from './failure-limits'
import { makeHashing } from './hashing'
import { Password, Username } from './schemas'

const config = loadConfig(
  {
    ...serviceConfig,
    ...databaseConfig,
    ...tokenConfig,
    PORT: Port.default(8001),
    /** PEM of an RSA key. */
    JWT_PRIVATE_KEY: z.string().optional(),
    /** PEM of the key before, while tokens signed with it may still be about: 15 minutes after a change. */
    JWT_PREVIOUS_PUBLIC_KEY: z.string().optional(),
    /** The admin that is made at the start; both or neither. */
    ADMIN_USERNAME: Username.optional(),
    ADMIN_PASSWORD: Password.optional(),
    BCRYPT_COST: z.coerce.number().int().min(4).max(15).default(12),
    DEMO_DATA: flag,
  },
  process.env,
)
const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = config
const credentials = adminCredentials(config)
const log = makeLog('users', config.LOG_LEVEL)
const keys = signingKeys({
  privatePem: config.JWT_PRIVATE_KEY,
  previousPublicPem: config.JWT_PREVIOUS_PUBLIC_KEY,
  production: config.NODE_ENV === 'production',
  log,
})
const pool = openPool({
  connectionString: config.DATABASE_URL,
  max: config.DATABASE_POOL_SIZE,
  applicationName: 'users',
  onError: (error) => log.warn({ err: error }, 'postgres connection lost'),
})
const prisma = openPrisma(pool)
const hashing = makeHashing({ cost: config.BCRYPT_COST })

const demo = config.DEMO_DATA
  ? untilDone({ everyMs: 1_000, log, name: 'demo accounts' }, () => loadDemoAccounts({ prisma, hashing }))
  : undefined
const demoReady: ReadinessCheck = {
  name: 'demo accounts',
  missing: () => Promise.resolve(!demo || demo.done() ? undefined : 'not loaded yet'),
}
const admin = credentials
  ? untilDone({ everyMs: 1_000, log, name: 'admin account' }, () => seedAdmin({ pool, prisma, hashing }, credentials))
  : undefined
const adminReady: ReadinessCheck = {
  name: 'admin account',
  missing: () => Promise.resolve(!admin || admin.done() ? undefined : 'not as configured yet'),
}
const sweep = periodically({ everyMs: 60_000, log, name: 'expired rows' }, () => dropExpiredRows(pool))

const app = usersApp({
  pool,
  prisma,
  hashing,
  limits: failureLimits(pool),
  tokens: accessTokens({ ...keys, issuer, audience }),
  issuer,
  audience,
  log,
  operations: operationsOf({
    service: 'users',
    document,
    pool,
    checks: [databaseReady(pool, 'users', path.join(__dirname, '../prisma/migrations')), demoReady, adminReady],
  }),
})

void runService({
  app,
  config,
  log,
  tasks: [demo, admin, sweep],
  stop: async () => {
    await prisma.$disconnect()
    await pool.end()
  },
})
