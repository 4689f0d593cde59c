import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { ConfigError } from '@shop/platform/config'
import { replaceHash, type PrismaClient } from './accounts'
import type { Hashing } from './hashing'

export type AdminCredentials = { username: string; password: string }

/** Undefined without an admin; half of one is a mistake. */
export function adminCredentials(config: {
  ADMIN_USERNAME?: string | undefined
  ADMIN_PASSWORD?: string | undefined
}): AdminCredentials | undefined {
  const { ADMIN_USERNAME: username, ADMIN_PASSWORD: password } = config
  if (username !== undefined && password !== undefined) return { username, password }
  if (username === undefined && password === undefined) return undefined
  const missing = username === undefined ? 'ADMIN_USERNAME' : 'ADMIN_PASSWORD'
  throw new ConfigError(`configuration is not usable:\n  ${missing}: is missing; an admin needs a name and a password`)
}

/**
 * Makes the admin, or gives the one there is the password of the configuration if it has another, which ends its logins. An
 * account of that name that is no admin's is somebody's: raises an error and leaves it alone.
 */
export async function seedAdmin(
  { pool, prisma, hashing }: { pool: pg.Pool; prisma: PrismaClient; hashing: Hashing },
  { username, password }: AdminCredentials,
): Promise<void> {
  const present = await prisma.user.findUnique({ where: { username } })
  if (present && present.role !== 'ADMIN')
    throw new Error(
      `ADMIN_USERNAME: ${username} is the account of a ${present.role.toLowerCase()}; choose another name`,
    )
  if (present && (await hashing.inTurn(({ matches }) => matches(password, present.passwordHash)))) return
  const passwordHash = await hashing.inTurn(({ hash }) => hash(password))
  const done = present
    ? (await replaceHash(pool, present, passwordHash)).ok
    : await addAdmin(prisma, { username, passwordHash })
  if (!done) throw new Error(`the account ${username} was changed by somebody else at the same moment`) // tried again
}

/** Nobody registers an address without a domain, so none is taken. */
async function addAdmin(prisma: PrismaClient, account: { username: string; passwordHash: string }): Promise<boolean> {
  const email = `${account.username}@localhost`
  const data = { id: uuidv7(), role: 'ADMIN', email, ...account }
  const { count } = await prisma.user.createMany({ data, skipDuplicates: true })
  return count === 1
}
