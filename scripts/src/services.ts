import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { answers } from './nginx'
import { type Secrets } from './secrets'
import { type Program } from './supervisor'
import { ROOT, runTool } from './terminal'

export const BEHIND_NGINX = ['users', 'products', 'orders', 'swagger'] as const
/** The payment gateway, which is for the others alone, among them. */
export const SERVICES = [...BEHIND_NGINX, 'gateway'] as const
export type Service = (typeof SERVICES)[number]

/** What the laptop's processes are told: the environment given from outside, and what is made here. */
export interface Surroundings {
  env: NodeJS.ProcessEnv
  ownerUrl: string
  secrets: Secrets
  dataDir: string
  ports: Record<'users' | 'gateway', number>
}

/** The value of a variable, or of the file that `<name>_FILE` names. */
export function read(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[`${name}_FILE`]
  return (file ? readFileSync(file, 'utf8').trim() : env[name]) || undefined
}

/** Prepares the database as its owner: roles with these passwords, then what is new of each service's migrations. */
export async function migrate({ env, ownerUrl, secrets }: Surroundings, signal?: AbortSignal): Promise<void> {
  await runTool(process.execPath, [join(ROOT, 'platform', 'dist', 'migrate-main.js')], {
    env: {
      ...without(env, ['DATABASE_URL', ...Object.values(PASSWORDS)]),
      DATABASE_URL: ownerUrl,
      ...Object.fromEntries(ROLES.map((role) => [PASSWORDS[role], passwordOf(role, env, secrets)])),
    },
    signal,
  })
}

/** One process of a service: it knows its own role's password, not the owner's; only users has the signing key and the admin's. */
export function serviceProgram(
  service: Service,
  { name, port, entry }: { name: string; port: number; entry: string[] },
  { env, ownerUrl, secrets, dataDir, ports }: Surroundings,
): Program {
  const own: NodeJS.ProcessEnv = { PORT: String(port), HOST: '127.0.0.1' }
  const kept = without(env, ['PORT', 'HOST', 'DATABASE_URL', 'GATEWAY_JOURNAL', ...Object.values(PASSWORDS)])
  if (isRole(service)) own.DATABASE_URL = roleUrl(ownerUrl, service, passwordOf(service, env, secrets))
  if (service === 'products' || service === 'orders') {
    if (!read(env, 'IDEMPOTENCY_SECRET')) own.IDEMPOTENCY_SECRET = secrets.idempotencySecret
    if (!read(env, 'JWKS_URL')) own.JWKS_URL = `http://127.0.0.1:${ports.users}/users/.well-known/jwks.json`
  }
  if (service === 'orders' && !read(env, 'GATEWAY_URL')) own.GATEWAY_URL = `http://127.0.0.1:${ports.gateway}`
  if (service === 'gateway') own.GATEWAY_JOURNAL = gatewayJournal(dataDir)
  if (service === 'users' && !read(env, 'JWT_PRIVATE_KEY')) own.JWT_PRIVATE_KEY_FILE = secrets.jwtPrivateKeyFile
  return {
    name,
    command: process.execPath,
    args: entry,
    cwd: ROOT,
    env: { ...(service === 'users' ? kept : without(kept, ['JWT_PRIVATE_KEY', 'ADMIN_PASSWORD'])), ...own },
    ready: () => answers(`http://127.0.0.1:${port}/readyz`, (status) => status === 200),
  }
}

/** What the simulated gateway has charged. */
export const gatewayJournal = (dataDir: string): string => join(dataDir, 'gateway-journal.jsonl')

const ROLES = ['users', 'products', 'orders'] as const
type Role = (typeof ROLES)[number]
const isRole = (service: Service): service is Role => ROLES.some((role) => role === service)
const PASSWORDS: Record<Role, string> = {
  users: 'USERS_DB_PASSWORD',
  products: 'PRODUCTS_DB_PASSWORD',
  orders: 'ORDERS_DB_PASSWORD',
}

/** Given from outside where several machines share one database server; else this folder's own. */
const passwordOf = (role: Role, env: NodeJS.ProcessEnv, secrets: Secrets): string =>
  read(env, PASSWORDS[role]) ?? secrets[`${role}DbPassword`]

function roleUrl(ownerUrl: string, role: Role, password: string): string {
  const url = new URL(ownerUrl)
  url.username = `shop_${role}`
  url.password = password
  return url.href
}

/** A variable's file goes with it: services prefer `<name>_FILE`. */
function without(env: NodeJS.ProcessEnv, names: string[]): NodeJS.ProcessEnv {
  const gone = new Set(names.flatMap((name) => [name, `${name}_FILE`]))
  return Object.fromEntries(Object.entries(env).filter(([name]) => !gone.has(name)))
}
