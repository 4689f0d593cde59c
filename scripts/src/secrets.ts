import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a laptop's shop needs to keep to itself; made once, kept in the data folder, readable by its owner only. */
export interface Secrets {
  postgresPassword: string
  usersDbPassword: string
  productsDbPassword: string
  ordersDbPassword: string
  idempotencySecret: string
  /** PEM file of the key that signs access tokens. */
  jwtPrivateKeyFile: string
}

const random = (): string => randomBytes(32).toString('base64url')

export function loadSecrets(dataDir: string): Secrets {
  const file = join(dataDir, 'secrets.json')
  const jwtPrivateKeyFile = join(dataDir, 'jwt-private.pem')
  writeOnce(file, () =>
    JSON.stringify({
      postgresPassword: random(),
      usersDbPassword: random(),
      productsDbPassword: random(),
      ordersDbPassword: random(),
      idempotencySecret: random(),
    }),
  )
  writeOnce(jwtPrivateKeyFile, () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  })
  return { ...(JSON.parse(readFileSync(file, 'utf8')) as Omit<Secrets, 'jwtPrivateKeyFile'>), jwtPrivateKeyFile }
}

/** Whole or not at all: a run killed in the middle must not leave half a key, and two at once must agree on one. */
function writeOnce(file: string, make: () => string): void {
  try {
    readFileSync(file)
    return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, make(), { mode: 0o600 })
  try {
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}
