import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Logger } from 'pino'
import { z } from 'zod'

const KeySetDocument = z.object({ keys: z.array(z.unknown()) })
const SigningKey = z.looseObject({
  kty: z.literal('RSA'),
  kid: z.string().min(1),
  use: z.literal('sig').optional(),
  alg: z.literal('RS256').optional(),
})
type Keys = ReadonlyMap<string, KeyObject>

/** Where a verifier finds public keys. `find` answers undefined for a kid that is not in the set. */
export type KeySource = {
  find: (kid: string) => KeyObject | undefined | Promise<KeyObject | undefined>
  /** False until a first set is there: until then nothing can be said of any token. */
  ready: () => boolean
}

/** No key set has been loaded yet, so a token can be called neither good nor bad. */
export class KeysUnavailable extends Error {}

const REFETCH_INTERVAL_MS = 10_000
const RETRY_MS = 500
const FETCH_TIMEOUT_MS = 2_000

/**
 * The key set (RFC 7517) behind a URL: fetched with retry until there is one, the last good one kept while the issuer is away,
 * fetched again for an unknown kid at most every 10 s.
 */
export function remoteKeys({ url, log }: { url: string; log: Logger }): KeySource & { stop: () => void } {
  let keys: Keys | undefined
  let lastFetch = -Infinity
  let retry: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined
  let stopped = false

  const load = (): Promise<void> => {
    lastFetch = performance.now()
    underWay ??= fetchKeys(url)
      .then(
        (fetched) => {
          keys = fetched
        },
        (error: unknown) => {
          log.warn({ err: error, url }, keys ? 'key set not refreshed, the last one is kept' : 'no key set yet')
          if (!keys && !stopped) retry = setTimeout(() => void load(), RETRY_MS)
        },
      )
      .finally(() => {
        underWay = undefined
      })
    return underWay
  }
  void load()

  return {
    ready: () => keys !== undefined,
    find: (kid) => {
      if (!keys) throw new KeysUnavailable()
      const known = keys.get(kid)
      if (known) return known
      if (!underWay && performance.now() - lastFetch < REFETCH_INTERVAL_MS) return undefined
      return (underWay ?? load()).then(() => keys?.get(kid))
    },
    stop: () => {
      stopped = true
      clearTimeout(retry)
    },
  }
}

async function fetchKeys(url: string): Promise<Keys> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    headers: { accept: 'application/json' },
  })
  if (!response.ok) throw new Error(`key set answered ${response.status}`)
  const { keys } = KeySetDocument.parse(await response.json())
  const usable = keys.flatMap(signingKey)
  if (usable.length === 0) throw new Error('key set has no RS256 signing key')
  return new Map(usable)
}

/** RFC 7517 §5: keys of a set that are of another kind or incomplete are ignored. */
function signingKey(candidate: unknown): [string, KeyObject][] {
  const parsed = SigningKey.safeParse(candidate)
  if (!parsed.success) return []
  try {
    return [[parsed.data.kid, createPublicKey({ format: 'jwk', key: parsed.data })]]
  } catch {
    return [] // without modulus or exponent
  }
}

/** The issuer's own keys, at hand. */
export const localKeys = (keys: Keys): KeySource => ({ find: (kid) => keys.get(kid), ready: () => true })
