import { randomBytes } from 'node:crypto'
import { isBusy, type Answer, type Caller, type Client } from './client'
import { Undecided } from './report'

export type Role = 'BUYER' | 'SELLER'
export type Credentials = { username: string; password: string }
/** Somebody with an account, whose token is renewed before it expires. */
export type Party = Caller & { id: string; username: string; role: Role }

/** Without accounts and products of its own nothing can be found out about a shop. */
export class NoStart extends Error {
  override readonly name = 'NoStart'
}

/** At the same time: a shop hashes a few passwords at once and refuses what queues up behind them. */
const REGISTERED_AT_ONCE = 8
/** A token is renewed when this part of its life is over. */
const RENEWED_AFTER = 0.6

/** Opens accounts whose names begin with `tag`, which has to be new to the shop: names are for ever. */
export function openAccounts(client: Client, tag: string) {
  let opened = 0

  async function register(role: Role, password = randomBytes(12).toString('base64url')): Promise<Party> {
    const username = `${tag}-${role === 'BUYER' ? 'b' : 's'}${++opened}`
    const credentials = { username, password }
    const account = { ...credentials, email: `${username}@example.com`, role }
    const registered = await client.call('POST', '/users', { body: account, repeatable: true })
    if (registered.status !== 201) throw unusable('POST /users', registered)
    return login(credentials)
  }

  return {
    register,
    /** Many, a few at a time. */
    async registerMany(role: Role, count: number): Promise<Party[]> {
      const parties: Party[] = []
      while (parties.length < count) {
        const batch = Math.min(REGISTERED_AT_ONCE, count - parties.length)
        parties.push(...(await Promise.all(Array.from({ length: batch }, () => register(role)))))
      }
      return parties
    },
    login,
    /** Puts a product up for sale and answers its id. */
    async listProduct(seller: Party, product: { stock: number; priceCents?: number; name?: string }): Promise<string> {
      const body = { name: `${tag} product`, priceCents: 1000, ...product }
      const key = randomBytes(12).toString('hex')
      const listed = await client.call<{ id: string }>('POST', '/products', { as: seller, body, key })
      if (listed.status !== 201 || !listed.body) throw unusable('POST /products', listed)
      return listed.body.id
    },
  }

  async function login(credentials: Credentials): Promise<Party> {
    let issued = await issue(credentials)
    let renewal: Promise<void> | undefined
    const token = async () => {
      if (performance.now() > issued.renewAt)
        await (renewal ??= issue(credentials)
          .then((next) => void (issued = next))
          .finally(() => (renewal = undefined)))
      return issued.token
    }
    const me = await client.call<{ id: string; role: Role }>('GET', '/users/me', { as: { token } })
    if (me.status !== 200 || !me.body) throw unusable('GET /users/me', me)
    return { id: me.body.id, role: me.body.role, username: credentials.username, token }
  }

  async function issue(credentials: Credentials): Promise<{ token: string; renewAt: number }> {
    const answer = await client.call<{ access_token: string; expires_in: number }>('POST', '/users/token', {
      body: credentials,
      repeatable: true,
    })
    if (answer.status !== 200 || !answer.body) throw unusable('POST /users/token', answer)
    const { access_token: token, expires_in: seconds } = answer.body
    return { token, renewAt: performance.now() + seconds * 1000 * RENEWED_AFTER }
  }
}

export type Accounts = ReturnType<typeof openAccounts>

function unusable(call: string, answer: Answer): Error {
  const { status, text, fault } = answer
  const message = `${call} answered ${status === 0 ? `nothing: ${fault}` : `${status} ${text.slice(0, 300)}`}`
  return isBusy(answer) ? new Undecided(message) : new NoStart(message)
}
