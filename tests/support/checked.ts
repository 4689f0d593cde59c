import supertest, { type Test } from 'supertest'
import type { App } from 'supertest/types'
import { contractOf, METHODS, type Contract } from '../../proof/src/contract'

export type Checked = Record<(typeof METHODS)[number], (path: string) => Test>

/** A parsed answer, for tests to look into: what it may hold is the contract's to say, which every answer is held to. */
export type Json = ReturnType<typeof JSON.parse>

/**
 * supertest's calls on an app (or on a server's URL), every answer of which is held to the document: path, method, status,
 * content type, body, headers. Schemas are closed: a field that the document does not name is a violation, too. Outside of the
 * document only `404 route-not-found` and `405` with `Allow` are allowed, so ask for /livez, /docs/ and their like with plain
 * supertest.
 */
export function checked(app: App, document: Contract): Checked {
  const contract = contractOf(document)
  const calls = METHODS.map((method) => {
    const call = (path: string) =>
      supertest(app)
        [method](path)
        .expect((response) => contract.check(method, path, response))
    return [method, call] as const
  })
  return Object.fromEntries(calls) as Checked
}
