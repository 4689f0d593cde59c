import { NoStart, type Credentials, type openAccounts, type Party } from '../accounts'
import type { Knowledge } from './known'
import type { Caller } from './requests'

export type RenewableCaller = Caller & { renew: () => Promise<void> }

export type Callers = {
  callers: RenewableCaller[]
  /** Passwords that no answer may contain. */
  secrets: () => string[]
  teach: (known: Knowledge) => void
  /** Shell lines that get the tokens which printed requests name. */
  loginLines: (url: string, tokenPath: string) => string[]
}

/**
 * Two buyers, two sellers, somebody without an account and, with credentials, an administrator. An account that has become
 * unusable, because its password was changed or it was locked or disabled, is replaced by a new one.
 */
export async function openCallers(
  accounts: ReturnType<typeof openAccounts>,
  password: string,
  admin?: Credentials,
): Promise<Callers> {
  const students: Knowledge[] = []
  const parties = new Map<string, Party>()

  function remember(name: string, party: Party): void {
    parties.set(name, party)
    for (const known of students) {
      known.learn('username', party.username, name)
      known.learn('user-id', party.id, name)
    }
  }

  async function account(name: string, open: () => Promise<Party>): Promise<RenewableCaller> {
    const first = await open()
    let current = Promise.resolve(first)
    let renewing: Promise<void> | undefined
    remember(name, first)
    const replace = async () => {
      current = open()
      remember(name, await current)
    }
    const renew = () => (renewing ??= replace().finally(() => (renewing = undefined)))
    return {
      name,
      role: first.role,
      renew,
      token: async () => {
        try {
          return await (await current).token()
        } catch (error) {
          if (!(error instanceof NoStart)) throw error
          await renew()
          return (await current).token()
        }
      },
    }
  }

  const nobody: RenewableCaller = {
    name: 'anonymous',
    role: undefined,
    token: () => Promise.reject(new Error('nobody has no token')),
    renew: () => Promise.resolve(),
  }
  const callers = [nobody]
  for (const role of ['BUYER', 'SELLER'] as const)
    for (const other of ['', 'other_'])
      callers.push(await account(`${other}${role.toLowerCase()}`, () => accounts.register(role, password)))
  if (admin) callers.push(await account('admin', () => accounts.login(admin)))
  return {
    callers,
    secrets: () => [password, ...(admin ? [admin.password] : [])],
    teach: (known) => {
      students.push(known)
      for (const [name, party] of parties) remember(name, party)
      known.learn('password', password)
    },
    loginLines: (url, tokenPath) =>
      [...parties].map(([name, { username }]) => {
        const secret = name === 'admin' ? (admin?.password ?? '') : password
        return `${name}=$(curl -sS '${url}${tokenPath}' -d username='${username}' -d password='${secret}' | node -p 'JSON.parse(fs.readFileSync(0)).access_token')`
      }),
  }
}
