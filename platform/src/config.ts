import { readFileSync } from 'node:fs'
import { z } from 'zod'

export class ConfigError extends Error {}

export const Port = z.coerce.number().int().min(1).max(65535)
export const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((value) => value === '1')

/** ISO 4217. */
export const Currency = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR')
  .default('USD')

/** What every service reads. */
export const serviceConfig = {
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
}

/** What a service with a schema in the database reads. */
export const databaseConfig = {
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(200).default(10),
}

/** What a service that checks access tokens reads. */
export const tokenConfig = {
  JWT_ISSUER: z.string().min(1).default('shop-users'),
  JWT_AUDIENCE: z.string().min(1).default('shop'),
}

export const verifierConfig = {
  ...tokenConfig,
  JWKS_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8001/users/.well-known/jwks.json'),
}

/** A secret that works without configuration on a laptop and is refused in production. */
export const secret = (developmentDefault: string) =>
  z
    .string()
    .min(32, 'must have at least 32 characters')
    .default(developmentDefault)
    .meta({ secretDefault: developmentDefault })

/** Another process that a laptop has at a known address and that production has to name. */
export const neighbour = (developmentDefault: string) =>
  z
    .url({ protocol: /^https?$/ })
    .default(developmentDefault)
    .meta({ namedInProduction: true })

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads configuration. Any variable may be given as `<NAME>_FILE`, the path of a file that holds it. In production a secret
 * that has its development default, or looks typed rather than drawn, is refused by name, as is a neighbour that is not named;
 * values are never printed.
 */
export function loadConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  environment: Environment,
): z.output<z.ZodObject<Shape>> {
  const given: Record<string, string> = {}
  const faults: string[] = []
  for (const name of Object.keys(shape)) {
    const file = environment[`${name}_FILE`]
    const value = file ? readSecretFile(name, file, faults) : environment[name]
    if (value !== undefined && value !== '') given[name] = value // `NAME=` in an env file means "not set"
  }
  const parsed = z.object(shape).safeParse(given)
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`))
  if (given['NODE_ENV'] === 'production') faults.push(...unfitForProduction(shape, given))
  if (faults.length > 0 || !parsed.success)
    throw new ConfigError(`configuration is not usable:\n  ${faults.join('\n  ')}`)
  return parsed.data
}

function readSecretFile(name: string, file: string, faults: string[]): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    faults.push(`${name}_FILE: ${(error as NodeJS.ErrnoException).code ?? 'cannot be read'}`)
    return undefined
  }
}

function unfitForProduction(shape: z.ZodRawShape, given: Record<string, string>): string[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const { secretDefault, namedInProduction } = (schema as z.ZodType).meta() ?? {}
    const value = given[name]
    if (namedInProduction && value === undefined) return [`${name}: has no default in production`]
    if (secretDefault === undefined) return []
    if (value === undefined || value === secretDefault)
      return [`${name}: has no secret of its own; make one with: openssl rand -hex 32`]
    return new Set(value).size < 8 ? [`${name}: is too weak; make one with: openssl rand -hex 32`] : []
  })
}
