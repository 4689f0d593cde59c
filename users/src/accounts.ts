import { PrismaPg } from '@prisma/adapter-pg'
import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { ifMatch } from '@shop/platform/conditional'
import { inTransaction } from '@shop/platform/postgres'
import { err, ok, type Result } from '@shop/platform/result'
import { checkPassword, type FailureLimits, type RateLimited } from './failure-limits'
import { Prisma, PrismaClient, type User } from './generated/prisma/client'
import type { Hashing } from './hashing'
import { revokeAll } from './refresh-tokens'

export type { PrismaClient, User }

export const openPrisma = (pool: pg.Pool): PrismaClient =>
  new PrismaClient({ adapter: new PrismaPg(pool, { schema: 'users' }), errorFormat: 'minimal' })

const isPrismaError = (error: unknown, code: 'P2002' | 'P2025') =>
  error instanceof Prisma.PrismaClientKnownRequestError && error.code === code
const [UNIQUE_VIOLATION, NO_SUCH_ROW] = ['P2002', 'P2025'] as const

type Taken = { code: 'username-taken' | 'email-taken' }

/** Opens an account. Names and addresses differ by more than case; when both are taken, the name is reported. */
export async function register(
  { pool, prisma, hashing }: { pool: pg.Pool; prisma: PrismaClient; hashing: Hashing },
  input: { username: string; password: string; email: string; role: string; displayName?: string | undefined },
): Promise<Result<User, Taken>> {
  const { password, displayName = null, ...rest } = input
  const taken = await findTaken(pool, input)
  if (taken) return err(taken) // before the costly hash
  const passwordHash = await hashing.inTurn(({ hash }) => hash(password))
  try {
    return ok(await prisma.user.create({ data: { id: uuidv7(), ...rest, displayName, passwordHash } }))
  } catch (error) {
    // The constraints decide a race; the loser asks again what was taken, because only the first of two is in the error.
    const lost = isPrismaError(error, UNIQUE_VIOLATION) ? await findTaken(pool, input) : undefined
    if (!lost) throw error
    return err(lost)
  }
}

async function findTaken(
  pool: pg.Pool,
  { username, email }: { username: string; email: string },
): Promise<Taken | undefined> {
  const { rows } = await pool.query<{ byName: boolean; byEmail: boolean }>({
    name: 'find-taken',
    text: `select exists (select from users.users where username = $1) as "byName",
                  exists (select from users.users where lower(email) = lower($2)) as "byEmail"`,
    values: [username, email],
  })
  if (rows[0]?.byName) return { code: 'username-taken' }
  return rows[0]?.byEmail ? { code: 'email-taken' } : undefined
}

export const findUser = (prisma: PrismaClient, id: string): Promise<User | null> =>
  prisma.user.findUnique({ where: { id } })

export type ProfileChanges = {
  email?: string
  displayName?: string | null
  shippingAddress?: string | null
  storeName?: string | null
}

/** Changes the given fields, if `ifMatchHeader` (optional) allows it and nobody changes the profile in between. */
export async function changeProfile(
  prisma: PrismaClient,
  id: string,
  changes: ProfileChanges,
  ifMatchHeader: string | undefined,
): Promise<Result<User, { code: 'account-gone' | 'precondition-failed' | 'email-taken' }>> {
  const user = await findUser(prisma, id)
  if (!user) return err({ code: 'account-gone' })
  const match = ifMatch(ifMatchHeader, user.version)
  if (match === 'stale') return err({ code: 'precondition-failed' })
  if (Object.keys(changes).length === 0) return ok(user)
  const conditional = match === 'current' && ifMatchHeader?.trim() !== '*'
  try {
    const where = { id, ...(conditional && { version: user.version }) }
    return ok(await prisma.user.update({ where, data: { ...changes, version: { increment: 1 } } }))
  } catch (error) {
    if (isPrismaError(error, UNIQUE_VIOLATION)) return err({ code: 'email-taken' })
    if (isPrismaError(error, NO_SUCH_ROW)) return err({ code: conditional ? 'precondition-failed' : 'account-gone' })
    throw error
  }
}

/** Sets a new password for one who knows the present one, and ends every login. Guesses are limited like those at login. */
export async function changePassword(
  deps: { pool: pg.Pool; prisma: PrismaClient; hashing: Hashing; limits: FailureLimits },
  id: string,
  { currentPassword, newPassword }: { currentPassword: string; newPassword: string },
): Promise<Result<void, { code: 'account-gone' | 'wrong-password' } | RateLimited>> {
  const user = await findUser(deps.prisma, id)
  if (!user) return err({ code: 'account-gone' })
  const checked = await checkPassword(
    deps.hashing,
    deps.limits.ofPasswordChange(id),
    currentPassword,
    user.passwordHash,
  )
  if (!checked.ok) return checked
  if (!checked.value) return err({ code: 'wrong-password' })
  const newHash = await deps.hashing.inTurn(({ hash }) => hash(newPassword))
  return replaceHash(deps.pool, user, newHash)
}

/** Gives an account another password and ends every login, if its hash still is the one that was read. */
export const replaceHash = (
  pool: pg.Pool,
  user: { id: string; passwordHash: string },
  newHash: string,
): Promise<Result<void, { code: 'wrong-password' }>> =>
  inTransaction(pool, async (tx) => {
    // The hash that was checked is part of the condition: of two changes at once, the second has the wrong current password.
    const { rowCount } = await tx.query({
      name: 'change-password',
      text: `update users.users set password_hash = $3, updated_at = now() where id = $1 and password_hash = $2`,
      values: [user.id, user.passwordHash, newHash],
    })
    if (rowCount !== 1) return err({ code: 'wrong-password' as const })
    await revokeAll(tx, user.id)
    return ok(undefined)
  })
