import type pg from 'pg'
import { onceInTransaction } from '@shop/platform/idempotency'
import { problem } from '@shop/platform/problems'
import { reply, routesOf } from '@shop/platform/routes'
import { findOwnProduct } from './catalogue'
import { addEntry, editEntry, findEntry, listEntries, type Entry } from './directories'
import { TABLE } from './problems'
import { listReceipts, receive } from './receipts'
import { DIRECTORIES, EntryEditHeaders, NewReceipt, Received, ReceiptPage, type Kind } from './receiving-schemas'
import { MAX_STOCK, PageQuery, ProductParams } from './schemas'

const route = routesOf<{ pool: pg.Pool }>()(TABLE)
const sellers = { roles: ['SELLER'] } as const
const tag = 'receiving'

const entryView = ({ id, name, status, createdAt, updatedAt }: Entry) => ({
  id,
  name,
  status,
  createdAt: createdAt.toISOString(),
  updatedAt: updatedAt.toISOString(),
})
const entryTag = ({ version }: Entry) => `"${version}"`

/** The calls of a directory: warehouses and suppliers differ by their names. */
function directoryRoutes(kind: Kind, Noun: 'Warehouse' | 'Supplier') {
  const { Shown, ShownPage, Params, New, Changes } = DIRECTORIES[kind]
  const path = `/products/${kind}s` as const
  const notFound = `${kind}-not-found` as const
  return [
    route(
      {
        method: 'post',
        path,
        operationId: `create${Noun}`,
        tag,
        summary: `Add a ${kind}`,
        description: 'Send an `Idempotency-Key` and the call is safe to repeat.',
        access: sellers,
        idempotent: true,
        body: New,
        responses: { 201: { description: `The ${kind}.`, body: Shown, headers: ['Location', 'ETag'] } },
        problems: [`${kind}-name-taken`],
      },
      (input, { pool }) =>
        onceInTransaction(pool, 'products', input, async (tx) => {
          const entry = await addEntry(tx, kind, { ...input.body, sellerId: input.caller.id })
          if (!entry.ok) return problem(entry.error.code)
          const headers = { Location: `${path}/${entry.value.id}`, ETag: entryTag(entry.value) }
          return reply(201, entryView(entry.value), headers)
        }),
    ),
    route(
      {
        method: 'get',
        path,
        operationId: `list${Noun}s`,
        tag,
        summary: `List your ${kind}s`,
        description: 'Newest first, disabled ones too.',
        access: sellers,
        query: PageQuery,
        responses: { 200: { description: `A page of ${kind}s.`, body: ShownPage } },
        problems: [],
      },
      async ({ query, caller }, { pool }) => {
        const { items, nextCursor } = await listEntries(pool, kind, { ...query, sellerId: caller.id })
        return reply(200, { items: items.map(entryView), nextCursor })
      },
    ),
    route(
      {
        method: 'get',
        path: `${path}/{id}`,
        operationId: `read${Noun}`,
        tag,
        summary: `Read one of your ${kind}s`,
        access: sellers,
        params: Params,
        responses: { 200: { description: `The ${kind}.`, body: Shown, headers: ['ETag'] } },
        problems: [notFound],
      },
      async ({ params, caller }, { pool }) => {
        const entry = await findEntry(pool, kind, params.id, caller.id)
        if (!entry.ok) return problem(entry.error.code)
        return reply(200, entryView(entry.value), { ETag: entryTag(entry.value) })
      },
    ),
    route(
      {
        method: 'patch',
        path: `${path}/{id}`,
        operationId: `edit${Noun}`,
        tag,
        summary: `Rename, disable or enable one of your ${kind}s`,
        description:
          `Needs \`If-Match\`: of two edits of one version one succeeds. Disabled, a ${kind} keeps its name and its receipts, ` +
          'and new ones are refused.',
        access: sellers,
        params: Params,
        headers: EntryEditHeaders,
        body: Changes,
        responses: { 200: { description: `The ${kind} as it is now.`, body: Shown, headers: ['ETag'] } },
        problems: [notFound, 'precondition-required', 'precondition-failed', `${kind}-name-taken`],
      },
      async ({ params, headers, body, caller }, { pool }) => {
        const edit = { id: params.id, sellerId: caller.id, match: headers['if-match'], changes: body }
        const edited = await editEntry(pool, kind, edit)
        if (!edited.ok) return problem(edited.error.code)
        return reply(200, entryView(edited.value), { ETag: entryTag(edited.value) })
      },
    ),
    route(
      {
        method: 'get',
        path: `${path}/{id}/receipts`,
        operationId: `list${Noun}Receipts`,
        tag,
        summary: `List the receipts of one of your ${kind}s`,
        description: 'Of all products, newest first.',
        access: sellers,
        params: Params,
        query: PageQuery,
        responses: { 200: { description: 'A page of receipts.', body: ReceiptPage } },
        problems: [notFound],
      },
      async ({ params, query, caller }, { pool }) => {
        const { id } = params
        const receipts = await listReceipts(pool, kind, { ...query, id }, () => findEntry(pool, kind, id, caller.id))
        return receipts.ok ? reply(200, receipts.value) : problem(receipts.error.code)
      },
    ),
  ]
}

const receiptRoutes = [
  route(
    {
      method: 'post',
      path: '/products/{id}/receipts',
      operationId: 'receiveStock',
      tag,
      summary: 'Receive units of one of your products',
      description:
        'Raises the stock and keeps where the units came from and went to, with a line `RECEIVED` in the ledger: all of it or ' +
        'nothing. Send an `Idempotency-Key` and the call is safe to repeat.',
      access: sellers,
      idempotent: true,
      params: ProductParams,
      body: NewReceipt,
      responses: { 201: { description: 'The receipt, and the stock after it.', body: Received } },
      problems: [
        'product-not-found',
        'not-owner',
        'warehouse-unavailable',
        'supplier-unavailable',
        'stock-limit-exceeded',
      ],
    },
    (input, { pool }) =>
      onceInTransaction(pool, 'products', input, async (tx) => {
        const { params, body, caller } = input
        const received = await receive(tx, { ...body, productId: params.id, callerId: caller.id })
        if (received.ok) return reply(201, received.value)
        const { error } = received
        if (error.code !== 'stock-limit-exceeded') return problem(error.code)
        return problem(error.code, { members: { available: error.available, limit: MAX_STOCK } })
      }),
  ),
  route(
    {
      method: 'get',
      path: '/products/{id}/receipts',
      operationId: 'listProductReceipts',
      tag,
      summary: 'List the receipts of one of your products',
      description: 'Newest first.',
      access: sellers,
      params: ProductParams,
      query: PageQuery,
      responses: { 200: { description: 'A page of receipts.', body: ReceiptPage } },
      problems: ['product-not-found', 'not-owner'],
    },
    async ({ params, query, caller }, { pool }) => {
      const { id } = params
      const receipts = await listReceipts(pool, 'product', { ...query, id }, () => findOwnProduct(pool, id, caller.id))
      return receipts.ok ? reply(200, receipts.value) : problem(receipts.error.code)
    },
  ),
]

export const receivingRoutes = [
  ...directoryRoutes('warehouse', 'Warehouse'),
  ...directoryRoutes('supplier', 'Supplier'),
  ...receiptRoutes,
]
