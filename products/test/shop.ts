import { uuidv7 } from 'uuidv7'
import { makeLog } from '@shop/platform/logging'
import { openPool } from '@shop/platform/postgres'
import type pg from 'pg'
import { checked, type Checked, type Json } from '../../tests/support/checked'
import { createDatabase, PATIENCE } from '../../tests/support/database'
import { authenticate, bearer } from '../../tests/support/tokens'
import { productsApp } from '../src/app'
import { SESSION_SETTINGS } from '../src/catalogue'
import { document } from '../src/document'

export type Someone = { id: string; authorization: string }

export const authorizationOf = (id: string, role: string) => bearer({ id, role })
const someone = (role: string): Someone => {
  const id = uuidv7()
  return { id, authorization: authorizationOf(id, role) }
}
export const aSeller = () => someone('SELLER')
export const aBuyer = () => someone('BUYER')
export const anAdmin = () => someone('ADMIN')

export type Body = Record<string, Json>
export type Created = { id: string; etag: string; body: Body }

export type Query = Record<string, string | number | boolean | undefined>
export type Page = { items: Body[]; nextCursor: string | null }
/** The catalogue's path for what is asked for. */
export const pathOf = (query: Query): string => {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return `/products?${new URLSearchParams(given).toString()}`
}

export type Shop = {
  /** Calls on the service, every answer of which is held to its document. */
  api: Checked
  /** The database's owner: for arranging and looking. */
  owner: pg.Pool
  /** The service's own pool. */
  pool: pg.Pool
  create: (seller: Someone, fields?: Body) => Promise<Created>
  /** The product as `reader` (anybody, unless given) reads it. */
  read: (id: string, reader?: Someone) => Promise<Body>
  /** A page of the catalogue, as anybody reads it. */
  list: (query: Query) => Promise<Page>
  patch: (seller: Someone, id: string, etag: string | undefined, changes: Body) => ReturnType<Checked['patch']>
  changeStock: (seller: Someone, id: string, change: Body, key?: string) => ReturnType<Checked['post']>
  /** Any call as somebody. */
  as: (who: Someone) => {
    get: (path: string) => ReturnType<Checked['get']>
    post: (path: string, body: object, key?: string) => ReturnType<Checked['post']>
    patch: (path: string, body: object, match?: string) => ReturnType<Checked['patch']>
  }
  /** What the orders service does with its rights, in one transaction: takes units (false: there are too few), or gives them back. */
  order: (productId: string, delta: number, orderId?: string) => Promise<boolean>
  /** The whole ledger of a product, newest first. */
  movements: (seller: Someone, id: string) => Promise<Body[]>
  close: () => Promise<void>
}

/** The products service on a database of its own. Closing it first sees that every ledger adds up. */
export async function openShop(): Promise<Shop> {
  const database = await createDatabase()
  const open = (connectionString: string, settings = {}) =>
    openPool({
      connectionString,
      max: 30,
      applicationName: 'products-test',
      onError: () => {},
      settings: { ...settings, ...PATIENCE },
    })
  const pool = open(database.urls.products, SESSION_SETTINGS)
  const orders = open(database.urls.orders)
  const app = productsApp({
    pool,
    currency: 'USD',
    authenticate,
    idempotencySecret: 'a secret of the tests, long enough',
    log: makeLog('products', 'silent'),
  })
  const api = checked(app, document)

  const read = async (id: string, reader?: Someone): Promise<Body> => {
    const call = api.get(`/products/${id}`)
    const { body } = await (reader ? call.set('authorization', reader.authorization) : call).expect(200)
    return body as Body
  }
  return {
    api,
    owner: database.owner,
    pool,
    read,
    create: async (seller, fields = {}) => {
      const { body, headers } = await api
        .post('/products')
        .set('authorization', seller.authorization)
        .send({ name: 'Thing', priceCents: 1000, stock: 10, ...fields })
        .expect(201)
      return { id: body.id as string, etag: headers['etag'] as string, body: body as Body }
    },
    list: async (query) => (await api.get(pathOf(query)).expect(200)).body as Page,
    patch: (seller, id, etag, changes) => {
      const call = api.patch(`/products/${id}`).set('authorization', seller.authorization).send(changes)
      return etag === undefined ? call : call.set('if-match', etag)
    },
    changeStock: (seller, id, change, key) => {
      const call = api.post(`/products/${id}/stock`).set('authorization', seller.authorization).send(change)
      return key === undefined ? call : call.set('idempotency-key', key)
    },
    as: ({ authorization }) => ({
      get: (path) => api.get(path).set({ authorization }),
      post: (path, body, key) => {
        const call = api.post(path).set({ authorization }).send(body)
        return key === undefined ? call : call.set('idempotency-key', key)
      },
      patch: (path, body, match) => {
        const call = api.patch(path).set({ authorization }).send(body)
        return match === undefined ? call : call.set('if-match', match)
      },
    }),
    order: async (productId, delta, orderId = uuidv7()) => {
      const tx = await orders.connect()
      try {
        await tx.query('begin')
        const taken = await tx.query(
          'update products.inventory set available = available + $2 where product_id = $1 and available + $2 >= 0',
          [productId, delta],
        )
        if (taken.rowCount === 1) {
          await tx.query(
            `insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id)
             values ($1, $2, $3, $4, $5, $6)`,
            [uuidv7(), productId, delta, delta < 0 ? 'ORDERED' : 'CANCELLED', orderId, uuidv7()],
          )
        }
        await tx.query('commit')
        return taken.rowCount === 1
      } finally {
        tx.release()
      }
    },
    movements: async (seller, id) => {
      const pages: Body[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const path = `/products/${id}/stock/movements?limit=100${cursor && `&cursor=${cursor}`}`
        const { body } = await api.get(path).set('authorization', seller.authorization).expect(200)
        pages.push(...(body.items as Body[]))
        cursor = body.nextCursor as string | null
      }
      return pages
    },
    close: async () => {
      const unbalanced = await findUnbalanced(database.owner)
      await Promise.all([pool.end(), orders.end()])
      await database.drop()
      expect(unbalanced).toEqual([])
    },
  }
}

/** Products whose stock is not the sum of their ledger, or which have no stock row at all. */
export async function findUnbalanced(owner: pg.Pool): Promise<unknown[]> {
  const { rows } = await owner.query(
    `select p.id, i.available, coalesce(sum(m.delta), 0)::bigint as ledger
       from products.products p
       left join products.inventory i on i.product_id = p.id
       left join products.stock_movements m on m.product_id = p.id
      group by p.id, i.available
     having i.available is distinct from coalesce(sum(m.delta), 0)`,
  )
  return rows
}

export const UNKNOWN_ID = '01980000-0000-7000-8000-00000000ffff'
