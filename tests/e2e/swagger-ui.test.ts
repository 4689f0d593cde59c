import type { Browser } from 'playwright-core'
import { keepPicture, openBrowser, openPage } from '../support/browser'
import { authorize, close, execute, operationOf, pick, shown } from '../support/swagger-ui'
import { startShop, type Shop } from '../support/system'

let shop: Shop
let browser: Browser

beforeAll(async () => {
  shop = await startShop({ env: { DEMO_DATA: '1', RATE_LIMIT_RPS: '200', LOGIN_RATE_LIMIT_RPM: '120' } })
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser.close()
  await shop.stop()
})

/** What calls answer that are executed as they stand in the page, nothing typed. */
async function outcomes(page: Parameters<typeof execute>[0], operationIds: readonly string[]) {
  const answers: [operationId: string, status: string][] = []
  for (const operationId of operationIds) {
    answers.push([operationId, (await execute(page, operationId)).status])
    await close(page, operationId)
  }
  return Object.fromEntries(answers)
}

test('a newcomer follows the three steps of the page and has bought something', async () => {
  const { page, refused, errors, requested } = await openPage(browser)
  await page.goto(shop.stack.url)
  await shown(page, 'Shop API')

  await authorize(page, 'user-1', 'password')
  const listed = await execute(page, 'listProducts')
  expect(listed.status).toBe('200')
  const placed = await execute(page, 'placeOrder')
  expect(placed.status).toBe('201')
  await keepPicture(page, 'swagger-ui-order', operationOf(page, 'placeOrder').locator('.responses-wrapper'))

  const order = JSON.parse(placed.body) as { id: string; items: { productId: string; quantity: number }[] }
  const [line] = order.items
  const before = (JSON.parse(listed.body) as { items: { id: string; available: number }[] }).items
  const offered = before.find(({ id }) => id === line?.productId)?.available ?? NaN
  expect(await shop.available(line?.productId ?? '')).toBe(offered - (line?.quantity ?? NaN))

  expect(requested.filter((url) => !url.startsWith(`${shop.stack.url}/`))).toEqual([])
  expect([...refused, ...errors]).toEqual([])
}, 180_000)

test('the login is kept when another document is picked and when the page is loaded again', async () => {
  const { page, refused, errors } = await openPage(browser)
  await page.goto(shop.stack.url)
  await shown(page, 'Shop API')
  await authorize(page, 'user-1', 'password')
  await pick(page, 'Orders')
  await shown(page, 'Orders')
  expect(await outcomes(page, ['listOrders'])).toEqual({ listOrders: '200' })
  await page.reload()
  await shown(page, 'Orders')
  expect(await outcomes(page, ['listOrders'])).toEqual({ listOrders: '200' })
  expect([...refused, ...errors]).toEqual([])
}, 180_000)

test.each([
  ['seller', 'their profile', 'Users', { getProfile: '200', changeProfile: '200' }],
  [
    'seller',
    'selling',
    'Products',
    {
      createProduct: '201',
      listOwnProducts: '200',
      readProduct: '200',
      editProduct: '200',
      changeStock: '200',
      listStockMovements: '200',
      listCategories: '200',
    },
  ],
  [
    'seller',
    'warehouses and suppliers',
    'Products',
    {
      createWarehouse: '201',
      listWarehouses: '200',
      readWarehouse: '200',
      editWarehouse: '200',
      createSupplier: '201',
      listSuppliers: '200',
      readSupplier: '200',
      editSupplier: '200',
    },
  ],
  [
    'seller',
    'receiving',
    'Products',
    {
      receiveStock: '201',
      listProductReceipts: '200',
      listWarehouseReceipts: '200',
      listSupplierReceipts: '200',
    },
  ],
  [
    'buyer',
    'the cart',
    'Orders',
    { putCartItem: '200', readCart: '200', checkout: '201', removeCartItem: '204', clearCart: '204' },
  ],
])(
  'as the demo %s, every call of %s works as it stands',
  async (who, _what, document, calls) => {
    const { page } = await openPage(browser)
    await page.goto(shop.stack.url)
    await shown(page, 'Shop API')
    await authorize(page, who === 'buyer' ? 'user-1' : 'seller-1', 'password')
    await pick(page, document)
    await shown(page, document)
    expect(await outcomes(page, Object.keys(calls))).toEqual(calls)
    await page.close() // a page with all these calls is heavy
  },
  180_000,
)
