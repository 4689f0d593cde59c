import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { z } from 'zod'
import {
  ConfigError,
  Port,
  databaseConfig,
  flag,
  loadConfig,
  neighbour,
  secret,
  serviceConfig,
  verifierConfig,
} from '@shop/platform/config'

const DEFAULT_SECRET = 'development-only-idempotency-secret'
const shape = {
  ...serviceConfig,
  ...databaseConfig,
  ...verifierConfig,
  PORT: Port.default(8002),
  IDEMPOTENCY_SECRET: secret(DEFAULT_SECRET),
  DEMO_DATA: flag,
}
const DATABASE_URL = 'postgres://shop_products:s3cret@localhost:5433/shop'
const drawn = randomBytes(32).toString('hex')

const faultsOf = (environment: Record<string, string>): string => {
  try {
    loadConfig(shape, environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('it was usable')
}

let folder: string
beforeAll(() => void (folder = mkdtempSync(path.join(tmpdir(), 'shop-config-'))))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, content: string): string => {
  const at = path.join(folder, name)
  writeFileSync(at, content)
  return at
}

test('a laptop needs nothing but the database', () => {
  expect(loadConfig(shape, { DATABASE_URL, SOMETHING_ELSE: 'x' })).toEqual({
    NODE_ENV: 'development',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    DATABASE_URL,
    DATABASE_POOL_SIZE: 10,
    JWT_ISSUER: 'shop-users',
    JWT_AUDIENCE: 'shop',
    JWKS_URL: 'http://127.0.0.1:8001/users/.well-known/jwks.json',
    PORT: 8002,
    IDEMPOTENCY_SECRET: DEFAULT_SECRET,
    DEMO_DATA: false,
  })
})

test('what is given is read as what it is, and an empty variable is one that is not set', () => {
  expect(
    loadConfig(shape, { DATABASE_URL, PORT: '9000', DATABASE_POOL_SIZE: '', HOST: '0.0.0.0', DEMO_DATA: '1' }),
  ).toMatchObject({ PORT: 9000, DATABASE_POOL_SIZE: 10, HOST: '0.0.0.0', DEMO_DATA: true })
})

test('any variable may be a file, whose last line break is no part of it and which wins over the variable', () => {
  const config = loadConfig(shape, {
    DATABASE_URL_FILE: file('url', `${DATABASE_URL}\n`),
    IDEMPOTENCY_SECRET: 'x'.repeat(32),
    IDEMPOTENCY_SECRET_FILE: file('secret', `${drawn}\r\n`),
    PORT_FILE: '',
    PORT: '9000',
  })
  expect(config).toMatchObject({ DATABASE_URL, IDEMPOTENCY_SECRET: drawn, PORT: 9000 })
})

test('a file that cannot be read is named by its variable, not taken for "not set"', () => {
  expect(faultsOf({ DATABASE_URL, IDEMPOTENCY_SECRET_FILE: path.join(folder, 'none') })).toBe(
    'configuration is not usable:\n  IDEMPOTENCY_SECRET_FILE: ENOENT',
  )
})

test('everything that is wrong is said at once, by name and without a value', () => {
  const faults = faultsOf({
    DATABASE_URL: 'mysql://root:s3cret@localhost/shop',
    PORT: '99999',
    NODE_ENV: 'staging',
    LOG_LEVEL: 'loud',
    DATABASE_POOL_SIZE: '1.5',
    JWKS_URL: 'file:///etc/passwd',
    IDEMPOTENCY_SECRET: 'hunter2',
    DEMO_DATA: 'yes',
  })
  const [headline, ...rest] = faults.split('\n  ')
  expect(headline).toBe('configuration is not usable:')
  expect(rest.map((line) => line.split(':')[0]).sort()).toEqual([
    'DATABASE_POOL_SIZE',
    'DATABASE_URL',
    'DEMO_DATA',
    'IDEMPOTENCY_SECRET',
    'JWKS_URL',
    'LOG_LEVEL',
    'NODE_ENV',
    'PORT',
  ])
  for (const value of ['s3cret', '99999', 'staging', 'loud', 'passwd', 'hunter2', 'yes'])
    expect(faults).not.toContain(value)
})

test.each(['0', '65536', 'http', '80a', '8080.5', ' ', '-1'])('%p is no port', (PORT) => {
  expect(faultsOf({ DATABASE_URL, PORT })).toContain('PORT: ')
})

test('without a database there is no start', () => {
  expect(faultsOf({})).toMatch(/^configuration is not usable:\n {2}DATABASE_URL: [^\n]+$/)
})

describe('in production', () => {
  const production = { DATABASE_URL, NODE_ENV: 'production' }

  test.each([
    ['the default', {}, 'has no secret of its own'],
    ['the default, spelt out', { IDEMPOTENCY_SECRET: DEFAULT_SECRET }, 'has no secret of its own'],
    ['one that is typed rather than drawn', { IDEMPOTENCY_SECRET: 'abcabc'.repeat(8) }, 'is too weak'],
    ['one that is short', { IDEMPOTENCY_SECRET: drawn.slice(0, 31) }, 'must have at least 32 characters'],
  ])('a secret that is %s is refused by name', (_name, environment, reason) => {
    const faults = faultsOf({ ...production, ...environment })
    expect(faults).toContain(`IDEMPOTENCY_SECRET: ${reason}`)
    for (const value of Object.values(environment)) expect(faults).not.toContain(value)
  })

  test('the default in a file is still the default', () => {
    const IDEMPOTENCY_SECRET_FILE = file('default', `${DEFAULT_SECRET}\n`)
    expect(faultsOf({ ...production, IDEMPOTENCY_SECRET_FILE })).toContain('has no secret of its own')
  })

  test('a drawn secret is taken, and outside of it the default is', () => {
    expect(loadConfig(shape, { ...production, IDEMPOTENCY_SECRET: drawn }).IDEMPOTENCY_SECRET).toBe(drawn)
    expect(loadConfig(shape, { DATABASE_URL, NODE_ENV: 'test' }).IDEMPOTENCY_SECRET).toBe(DEFAULT_SECRET)
  })

  test('a neighbour is to be named, at whatever address', () => {
    const neighbours = { ...serviceConfig, GATEWAY_URL: neighbour('http://127.0.0.1:8005') }
    expect(loadConfig(neighbours, {}).GATEWAY_URL).toBe('http://127.0.0.1:8005')
    expect(() => loadConfig(neighbours, { NODE_ENV: 'production' })).toThrow(/: has no default in production$/)
    const GATEWAY_URL = 'http://127.0.0.1:8005'
    expect(loadConfig(neighbours, { NODE_ENV: 'production', GATEWAY_URL }).GATEWAY_URL).toBe(GATEWAY_URL)
    expect(() => loadConfig(neighbours, { GATEWAY_URL: 'ftp://gateway' })).toThrow('GATEWAY_URL: ')
  })

  test('anything else needs no care', () => {
    expect(loadConfig({ ...serviceConfig, NAME: z.string().default('shop') }, { NODE_ENV: 'production' }).NAME).toBe(
      'shop',
    )
  })
})
