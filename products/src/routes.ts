import type pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { onceInTransaction } from '@shop/platform/idempotency'
import { problem, type Violation } from '@shop/platform/problems'
import { reply, routesOf } from '@shop/platform/routes'
import { disableProduct, findAnyProduct, listAllProducts } from './administration'
import { findProduct, listCategories, listOwnProducts, productTag, productView, type ProductRow } from './catalogue'
import { addProduct, editProduct } from './editing'
import { TABLE } from './problems'
import { receivingRoutes } from './receiving-routes'
import {
  AllProductsQuery,
  Categories,
  EditHeaders,
  ListQuery,
  MAX_STOCK,
  NewProduct,
  OwnQuery,
  PageQuery,
  Product,
  ProductChanges,
  ProductPage,
  ProductParams,
  StockChange,
  StockChanged,
  StockMovementPage,
} from './schemas'
import { findProducts } from './search'
import { changeStock, listMovements } from './stock'

export type Deps = { pool: pg.Pool; currency: string }

const route = routesOf<Deps>()(TABLE)
const sellers = { roles: ['SELLER'] } as const

const notOfAdmins = (path: string): Violation => ({ in: 'body', path, message: 'is its seller’s to change' })

const shown = (row: ProductRow, { currency }: Deps) => reply(200, productView(row, currency), { ETag: productTag(row) })
const listed = ({ items, nextCursor }: { items: ProductRow[]; nextCursor: string | null }, { currency }: Deps) =>
  reply(200, { items: items.map((row) => productView(row, currency)), nextCursor })

export const routes = [
  route(
    {
      method: 'post',
      path: '/products',
      operationId: 'createProduct',
      tag: 'selling',
      summary: 'Offer a product',
      description:
        'Stock to begin with is the first line of the ledger. Send an `Idempotency-Key` and the call is safe to repeat.',
      access: sellers,
      idempotent: true,
      body: NewProduct,
      responses: { 201: { description: 'The product.', body: Product, headers: ['Location', 'ETag'] } },
      problems: [],
    },
    (input, { pool, currency }) =>
      onceInTransaction(pool, 'products', input, async (tx) => {
        const product = await addProduct(tx, { ...input.body, id: uuidv7(), sellerId: input.caller.id })
        if (!product) throw new Error('a new id was taken')
        const headers = { Location: `/products/${product.id}`, ETag: productTag(product) }
        return reply(201, productView(product, currency), headers)
      }),
  ),
  route(
    {
      method: 'get',
      path: '/products',
      operationId: 'listProducts',
      tag: 'catalogue',
      summary: 'Search the catalogue',
      description: 'Active products. A cursor belongs to the filters and the sort that it came from.',
      access: 'public',
      shared: true,
      query: ListQuery,
      responses: { 200: { description: 'A page of products.', body: ProductPage } },
      problems: [],
    },
    async ({ query }, deps) => listed(await findProducts(deps.pool, query), deps),
  ),
  route(
    {
      method: 'get',
      path: '/products/mine',
      operationId: 'listOwnProducts',
      tag: 'selling',
      summary: 'List your own products',
      description:
        'Newest first, disabled ones too. With `lowStock` only those that are active and running out: what is to be ordered again.',
      access: sellers,
      query: OwnQuery,
      responses: { 200: { description: 'A page of products.', body: ProductPage } },
      problems: [],
    },
    async ({ query, caller }, deps) => listed(await listOwnProducts(deps.pool, caller.id, query), deps),
  ),
  route(
    {
      method: 'get',
      path: '/products/all',
      operationId: 'listAllProducts',
      tag: 'moderation',
      summary: 'List the products of all sellers',
      description: 'Newest first, disabled ones too.',
      access: { roles: ['ADMIN'] },
      query: AllProductsQuery,
      responses: { 200: { description: 'A page of products.', body: ProductPage } },
      problems: [],
    },
    async ({ query }, deps) => listed(await listAllProducts(deps.pool, query), deps),
  ),
  route(
    {
      method: 'get',
      path: '/products/categories',
      operationId: 'listCategories',
      tag: 'catalogue',
      summary: 'List the categories',
      description: 'Those of active products, by slug; the 1,000 most used ones if there are more.',
      access: 'public',
      shared: true,
      responses: { 200: { description: 'The categories, all on one page.', body: Categories } },
      problems: [],
    },
    async (_input, { pool }) => reply(200, { items: await listCategories(pool), nextCursor: null }),
  ),
  route(
    {
      method: 'get',
      path: '/products/{id}',
      operationId: 'readProduct',
      tag: 'catalogue',
      summary: 'Read a product',
      description:
        'A disabled product is there for its seller and for admins only. The ETag is `"<version>-<available>"`.',
      access: 'public',
      shared: true,
      params: ProductParams,
      responses: { 200: { description: 'The product.', body: Product, headers: ['ETag'] } },
      problems: ['product-not-found'],
    },
    async ({ params, caller }, deps) => {
      const isAdmin = caller?.role === 'ADMIN'
      const product = await (isAdmin
        ? findAnyProduct(deps.pool, params.id)
        : findProduct(deps.pool, params.id, caller?.id))
      return product ? shown(product, deps) : problem('product-not-found')
    },
  ),
  route(
    {
      method: 'patch',
      path: '/products/{id}',
      operationId: 'editProduct',
      tag: 'selling',
      summary: 'Edit one of your products, or disable any as an admin',
      description:
        'Needs `If-Match`: of two editors who read the same version one succeeds and the other gets 412. Changes that change ' +
        'nothing answer with the product as it is and make no new version. Stock is changed by `POST /products/{id}/stock` only.\n\n' +
        'An admin changes the `status` of any product and nothing else (422). What an admin has disabled its seller cannot enable ' +
        '(409); enabled by an admin it is as its seller left it.',
      access: { roles: ['SELLER', 'ADMIN'] },
      params: ProductParams,
      headers: EditHeaders,
      body: ProductChanges,
      responses: { 200: { description: 'The product as it is now.', body: Product, headers: ['ETag'] } },
      problems: ['product-not-found', 'not-owner', 'precondition-required', 'precondition-failed', 'disabled-by-admin'],
    },
    async ({ params, headers, body, caller }, deps) => {
      const edit = { id: params.id, match: headers['if-match'] }
      if (caller.role === 'ADMIN') {
        const { status } = body
        const errors = Object.keys(body).flatMap((path) => (path === 'status' ? [] : [notOfAdmins(path)]))
        if (status === undefined || errors.length > 0) return problem('validation-failed', { members: { errors } })
        const disabled = await disableProduct(deps.pool, { ...edit, status })
        return disabled.ok ? shown(disabled.value, deps) : problem(disabled.error.code)
      }
      const edited = await editProduct(deps.pool, { ...edit, callerId: caller.id, changes: body })
      return edited.ok ? shown(edited.value, deps) : problem(edited.error.code)
    },
  ),
  route(
    {
      method: 'post',
      path: '/products/{id}/stock',
      operationId: 'changeStock',
      tag: 'selling',
      summary: 'Change the stock of one of your products',
      description:
        'By a delta, so that nothing that is sold meanwhile is lost; never below zero. Each change is a line in the ledger. ' +
        'Send an `Idempotency-Key` and the call is safe to repeat.',
      access: sellers,
      idempotent: true,
      params: ProductParams,
      body: StockChange,
      responses: { 200: { description: 'The stock and the line in the ledger.', body: StockChanged } },
      problems: ['product-not-found', 'not-owner', 'insufficient-stock', 'stock-limit-exceeded'],
    },
    (input, { pool }) =>
      onceInTransaction(pool, 'products', input, async (tx) => {
        const { params, body, caller } = input
        const changed = await changeStock(tx, { ...body, productId: params.id, callerId: caller.id })
        if (changed.ok) return reply(200, changed.value)
        const { error } = changed
        switch (error.code) {
          case 'insufficient-stock': {
            const shortage = { productId: params.id, requested: -body.delta, available: error.available }
            return problem('insufficient-stock', { members: { shortages: [shortage] } })
          }
          case 'stock-limit-exceeded':
            return problem('stock-limit-exceeded', { members: { available: error.available, limit: MAX_STOCK } })
          case 'product-not-found':
          case 'not-owner':
            return problem(error.code)
        }
      }),
  ),
  route(
    {
      method: 'get',
      path: '/products/{id}/stock/movements',
      operationId: 'listStockMovements',
      tag: 'selling',
      summary: 'Read the stock ledger of one of your products',
      description: 'Newest first. The sum of all deltas is `available`, always.',
      access: sellers,
      params: ProductParams,
      query: PageQuery,
      responses: { 200: { description: 'A page of stock movements.', body: StockMovementPage } },
      problems: ['product-not-found', 'not-owner'],
    },
    async ({ params, query, caller }, { pool }) => {
      const movements = await listMovements(pool, { ...query, productId: params.id, callerId: caller.id })
      return movements.ok ? reply(200, movements.value) : problem(movements.error.code)
    },
  ),
  ...receivingRoutes,
]
