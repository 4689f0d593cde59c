import { createPrivateKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadSecrets } from '../src/secrets'
import { aFolder, cleanUp } from './support'

afterEach(cleanUp)

test('secrets and key are made once, each different, for their owner only', () => {
  const folder = aFolder()
  const first = loadSecrets(folder)
  const key = readFileSync(first.jwtPrivateKeyFile, 'utf8')

  expect(loadSecrets(folder)).toEqual(first)
  expect(readFileSync(first.jwtPrivateKeyFile, 'utf8')).toBe(key)
  expect(loadSecrets(aFolder()).postgresPassword).not.toBe(first.postgresPassword)
  const { jwtPrivateKeyFile, ...values } = first
  expect(new Set(Object.values(values)).size).toBe(5)
  for (const value of Object.values(values)) expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/)
  for (const file of [join(folder, 'secrets.json'), jwtPrivateKeyFile]) expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('the key is RSA of 2048 bits', () => {
  const { jwtPrivateKeyFile } = loadSecrets(aFolder())
  const key = createPrivateKey(readFileSync(jwtPrivateKeyFile))
  expect(key.asymmetricKeyType).toBe('rsa')
  expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048)
})
