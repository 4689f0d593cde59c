import { randomBytes } from 'node:crypto'
import { PASSWORD, readDocument, startShop, type Answer, type Call, type Party, type Shop } from '../support/system'

// Every operation of the document × everybody who could call it. Statuses follow from the document's own `x-access`, except
// where a call is about something that is somebody's: what strangers of the right role get is said here.

type Caller = 'anonymous' | 'buyer' | 'other buyer' | 'seller' | 'other seller' | 'admin'
const CALLERS: readonly Caller[] = ['anonymous', 'buyer', 'other buyer', 'seller', 'other seller', 'admin']
const ADMIN = 'the-admin'
const ROLE = {
  buyer: 'BUYER',
  'other buyer': 'BUYER',
  seller: 'SELLER',
  'other seller': 'SELLER',
  admin: 'ADMIN',
} as const

type World = { shop: Shop; parties: Record<Exclude<Caller, 'anonymous'>, Party> }
type Request = { path?: string } & Call
type Fixture = {
  /** A request that its rightful caller makes with success; `caller` is who is about to send it. */
  request: (world: World, caller: Caller) => Promise<Request> | Request
  success: number
  /** What the same role gets for what is another's. */
  stranger?: { of: 'buyer' | 'seller' | 'both'; status: number }
}

const aProduct = ({ shop, parties }: World) => shop.list(parties.seller, 5)
const anOrder = async (world: World) => {
  const placed = await world.shop.order(world.parties.buyer, [[await aProduct(world), 1]])
  return `/orders/${placed.body.id}`
}
const anEntry = async ({ shop, parties }: World, kind: 'warehouses' | 'suppliers') => {
  const body = { name: someName() }
  const { headers } = await shop.call('POST', `/products/${kind}`, { token: parties.seller.token, body })
  return headers['location'] ?? 'none'
}
/** What warehouses and suppliers answer is the same. */
const directory = (kind: 'warehouses' | 'suppliers', Noun: string): Record<string, Fixture> => {
  const own = (path = '', call: Call = {}): Fixture => ({
    request: async (world) => ({ path: `${await anEntry(world, kind)}${path}`, ...call }),
    success: 200,
    stranger: { of: 'seller', status: 404 },
  })
  return {
    [`create${Noun}`]: { request: () => ({ body: { name: someName() } }), success: 201 },
    [`list${Noun}s`]: { request: () => ({}), success: 200 },
    [`read${Noun}`]: own(),
    [`edit${Noun}`]: own('', { body: { status: 'DISABLED' }, headers: { 'if-match': '*' } }),
    [`list${Noun}Receipts`]: own('/receipts'),
  }
}
const cartItem = async (world: World) => `/orders/cart/items/${await aProduct(world)}`
const CARD = { cardNumber: '4242424242424242', expMonth: 12, expYear: 2099, cvc: '123' }
const someName = () => `m-${randomBytes(6).toString('hex')}`

const FIXTURES: Record<string, Fixture> = {
  register: {
    request: () => {
      const username = someName()
      return { body: { username, password: PASSWORD, email: `${username}@example.com`, role: 'BUYER' } }
    },
    success: 201,
  },
  issueToken: {
    request: ({ parties }) => ({ body: { username: parties.buyer.username, password: PASSWORD } }),
    success: 200,
  },
  revokeToken: { request: () => ({ body: { token: 'unknown' } }), success: 200 },
  getProfile: { request: () => ({}), success: 200 },
  changeProfile: { request: () => ({ body: { displayName: 'Somebody' } }), success: 200 },
  changePassword: { request: () => ({ body: { currentPassword: PASSWORD, newPassword: PASSWORD } }), success: 204 },
  getKeySet: { request: () => ({}), success: 200 },
  listAccounts: { request: () => ({}), success: 200 },
  readAccount: { request: ({ parties }) => ({ path: `/users/${parties.buyer.id}` }), success: 200 },
  changeAccount: {
    request: ({ parties }) => ({ path: `/users/${parties.buyer.id}`, body: { status: 'ACTIVE' } }),
    success: 200,
  },
  createProduct: { request: () => ({ body: { name: 'Thing', priceCents: 100, stock: 1 } }), success: 201 },
  listProducts: { request: () => ({}), success: 200 },
  listAllProducts: { request: () => ({}), success: 200 },
  listOwnProducts: { request: () => ({}), success: 200 },
  listCategories: { request: () => ({}), success: 200 },
  readProduct: { request: async (world) => ({ path: `/products/${await aProduct(world)}` }), success: 200 },
  editProduct: {
    request: async (world, caller) => ({
      path: `/products/${await aProduct(world)}`,
      body: caller === 'admin' ? { status: 'DISABLED' } : { name: 'Better thing' },
      headers: { 'if-match': '*' },
    }),
    success: 200,
    stranger: { of: 'seller', status: 403 },
  },
  changeStock: {
    request: async (world) => ({
      path: `/products/${await aProduct(world)}/stock`,
      body: { delta: 1, reason: 'RECEIVED' },
    }),
    success: 200,
    stranger: { of: 'seller', status: 403 },
  },
  listStockMovements: {
    request: async (world) => ({ path: `/products/${await aProduct(world)}/stock/movements` }),
    success: 200,
    stranger: { of: 'seller', status: 403 },
  },
  ...directory('warehouses', 'Warehouse'),
  ...directory('suppliers', 'Supplier'),
  receiveStock: {
    request: async (world) => ({
      path: `/products/${await aProduct(world)}/receipts`,
      body: { warehouseId: (await anEntry(world, 'warehouses')).split('/').at(-1), quantity: 1 },
    }),
    success: 201,
    stranger: { of: 'seller', status: 403 },
  },
  listProductReceipts: {
    request: async (world) => ({ path: `/products/${await aProduct(world)}/receipts` }),
    success: 200,
    stranger: { of: 'seller', status: 403 },
  },
  placeOrder: {
    request: async (world) => ({ body: { items: [{ productId: await aProduct(world), quantity: 1 }] } }),
    success: 201,
  },
  listAllOrders: { request: () => ({}), success: 200 },
  listOrders: { request: () => ({}), success: 200 },
  readOrder: {
    request: async (world) => ({ path: await anOrder(world) }),
    success: 200,
    stranger: { of: 'buyer', status: 404 },
  },
  readCart: { request: () => ({}), success: 200 },
  putCartItem: { request: async (world) => ({ path: await cartItem(world), body: { quantity: 1 } }), success: 200 },
  removeCartItem: { request: async (world) => ({ path: await cartItem(world) }), success: 204 },
  clearCart: { request: () => ({}), success: 204 },
  checkout: {
    request: async (world, caller) => {
      if (caller === 'buyer' || caller === 'other buyer') {
        const { token } = world.parties[caller]
        await world.shop.call('PUT', await cartItem(world), { token, body: { quantity: 1 } })
      }
      return { body: {} }
    },
    success: 201,
  },
  cancelOrder: {
    request: async (world) => ({ path: `${await anOrder(world)}/cancel` }),
    success: 200,
    stranger: { of: 'buyer', status: 404 },
  },
  payOrder: {
    request: async (world) => ({ path: `${await anOrder(world)}/payment`, body: CARD }),
    success: 200,
    stranger: { of: 'buyer', status: 404 },
  },
  moveShipment: {
    request: async (world) => {
      const order = await anOrder(world)
      await world.shop.call('POST', `${order}/payment`, { token: world.parties.buyer.token, body: CARD })
      return { path: `${order}/shipment`, body: { status: 'PACKED' } }
    },
    success: 200,
    stranger: { of: 'seller', status: 404 },
  },
  trackOrder: {
    request: async (world) => ({ path: `${await anOrder(world)}/tracking` }),
    success: 200,
    stranger: { of: 'both', status: 404 },
  },
  listSales: { request: () => ({}), success: 200 },
  summariseSales: { request: () => ({}), success: 200 },
}

type Operation = {
  operationId: string
  method: string
  path: string
  access: 'public' | 'authenticated' | 'credentials' | string[]
}

async function operations(): Promise<Operation[]> {
  const { paths = {} } = await readDocument()
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, { operationId: string; 'x-access': Operation['access'] }>).map(
      ([method, operation]) => ({
        operationId: operation.operationId,
        method: method.toUpperCase(),
        path,
        access: operation['x-access'],
      }),
    ),
  )
}

function expectedStatus({ access }: Operation, fixture: Fixture, caller: Caller): number {
  if (access === 'public' || access === 'credentials') return fixture.success
  if (caller === 'anonymous') return 401
  if (access !== 'authenticated' && !access.includes(ROLE[caller])) return 403
  const { stranger, success } = fixture
  const owns = stranger?.of === 'both' ? ['buyer', 'seller'] : [stranger?.of]
  return stranger && !owns.some((owner) => owner === caller) && caller !== 'admin' ? stranger.status : success
}

let world: World
beforeAll(async () => {
  const shop = await startShop({ env: { ADMIN_USERNAME: ADMIN, ADMIN_PASSWORD: PASSWORD } })
  const [buyer, otherBuyer] = await shop.joinMany('BUYER', 2)
  const [seller, otherSeller] = await shop.joinMany('SELLER', 2)
  world = {
    shop,
    parties: {
      buyer,
      'other buyer': otherBuyer,
      seller,
      'other seller': otherSeller,
      admin: await shop.login(ADMIN),
    } as World['parties'],
  }
}, 120_000)
afterAll(() => world.shop.stop())

const send = (operation: Operation, { path = operation.path, ...call }: Request, caller: Caller): Promise<Answer> =>
  world.shop.call(
    operation.method,
    path,
    caller === 'anonymous' ? call : { ...call, token: world.parties[caller].token },
  )

test('every operation of the document has a row in the matrix, and every row an operation', async () => {
  expect((await operations()).map(({ operationId }) => operationId).sort()).toEqual(Object.keys(FIXTURES).sort())
})

test.each(Object.entries(FIXTURES))(
  '%s answers each caller as their role and ownership say',
  async (operationId, fixture) => {
    const operation = (await operations()).find((each) => each.operationId === operationId)
    if (!operation) throw new Error(`${operationId} is not in the document`)
    const rows = []
    for (const caller of CALLERS) {
      const answer = await send(operation, await fixture.request(world, caller), caller)
      rows.push([caller, answer.status])
    }
    expect(rows).toEqual(CALLERS.map((caller) => [caller, expectedStatus(operation, fixture, caller)]))
  },
)

test('a token that is not good is 401 wherever tokens are read', async () => {
  for (const operation of (await operations()).filter(({ access }) => access !== 'credentials')) {
    const path = operation.path.replace(/\{\w+\}/, '01980000-0000-7000-8000-00000000c001')
    const answer = await world.shop.call(operation.method, path, { token: `${world.parties.buyer.token}x` })
    expect([operation.operationId, answer.status, answer.body.code]).toEqual([
      operation.operationId,
      401,
      'invalid-token',
    ])
  }
})
