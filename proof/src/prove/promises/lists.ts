import type { Party } from '../../accounts'
import type { Tally } from '../../report'
import { told, type Movement, type Order, type Page, type Product, type Shop } from '../../shop'
import { inTurn, type ShopPromise } from '../promise'

type Walk<Item> = {
  path: string
  as: Party
  limit: number
  /** What was there before: each has to be seen once. */
  there: readonly string[]
  /** Whether two neighbours stand in the order that was asked for. */
  inOrder: (earlier: Item, later: Item) => boolean
  /** What happens between two pages. */
  meanwhile: () => Promise<unknown>
}

async function walk<Item extends { id: string }>(shop: Shop, tally: Tally, wanted: Walk<Item>): Promise<void> {
  const { path, limit } = wanted
  const seen: Item[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: Page<Item> = await shop.page(path, wanted.as, { limit, cursor })
    tally.count('pages')
    const full = page.nextCursor === null ? page.items.length <= limit : page.items.length === limit
    tally.that(full, `a page of ${path} has ${page.items.length} items where ${limit} were asked for`)
    seen.push(...page.items)
    cursor = page.nextCursor
    if (cursor !== null) await wanted.meanwhile()
    // As many as there could ever be, in case the list never ends.
    if (!tally.that(seen.length <= 50 * wanted.there.length, `${path} does not come to an end`)) return
  }
  const times = new Map<string, number>()
  for (const { id } of seen) times.set(id, (times.get(id) ?? 0) + 1)
  tally.equal(
    [...times].filter(([, n]) => n > 1),
    [],
    `items of ${path} that came twice`,
  )
  tally.equal(
    wanted.there.filter((id) => !times.has(id)),
    [],
    `items of ${path} that were skipped`,
  )
  for (let i = 1; i < seen.length; i++)
    tally.that(wanted.inOrder(seen[i - 1]!, seen[i]!), `${path}: ${seen[i - 1]!.id} comes before ${seen[i]!.id}`)
}

export const listsUnderWrites: ShopPromise = {
  name: 'lists-under-writes',
  promise: 'a list read page by page while rows arrive skips nothing, repeats nothing and keeps its order',
  look: async (world, tally) => {
    const { shop, random, callers } = world
    const seller = world.sellers.at(-1)!
    const buyer = callers.at(-1)!
    const listNew = () => world.list(10, { seller, priceCents: random.int(1, 9) * 100, name: `List ${random.hex(2)}` })
    // Few prices and names, so that many are equal and the id has to decide.
    const products = await Promise.all(Array.from({ length: 18 }, listNew))
    const before = await shop.all<Product>('/products/mine', seller)
    const active = before.filter(({ status }) => status === 'ACTIVE').map(({ id }) => id)
    tally.equal(
      products.filter(({ id }) => !active.includes(id)),
      [],
      'listed products that are not in the list',
    )

    const catalogue = `/products?sellerId=${seller.id}`
    const sorts: [path: string, inOrder: (a: Product, b: Product) => boolean][] = [
      [catalogue, (a, b) => a.id > b.id],
      [
        `${catalogue}&sort=price`,
        (a, b) => a.priceCents < b.priceCents || (a.priceCents === b.priceCents && a.id < b.id),
      ],
      [`${catalogue}&sort=-price`, (a, b) => a.priceCents >= b.priceCents],
      [`${catalogue}&sort=name`, (a, b) => a.name <= b.name],
    ]
    const limit = Math.min(100, Math.max(4, Math.ceil(active.length / 6)))
    for (const [path, inOrder] of sorts)
      await walk<Product>(shop, tally, { path, as: seller, limit, there: active, inOrder, meanwhile: listNew })

    const product = products[0]!
    await shop.changeStock(seller, product.id, 1000, 'RECEIVED')
    const buy = async () => (await shop.place(buyer, [[product.id, 1]])).body!
    const bought: Order[] = []
    await inTurn([1, 2, 3, 4, 5, 6, 7, 8], async () => void bought.push(await buy()))
    const newest = (a: { id: string }, b: { id: string }) => a.id > b.id
    const sell = async () => {
      await buy()
      await shop.cancel(buyer, random.pick(bought).id)
    }
    const orders = (await shop.all<Order>('/orders', buyer)).map(({ id }) => id)
    tally.equal(
      bought.filter(({ id }) => !orders.includes(id)),
      [],
      'orders that are not in the list',
    )
    const shown = Math.min(100, Math.max(2, Math.ceil(orders.length / 5)))
    await walk<Order>(shop, tally, {
      path: '/orders',
      as: buyer,
      limit: shown,
      there: orders,
      inOrder: newest,
      meanwhile: sell,
    })
    const path = `/products/${product.id}/stock/movements`
    const ledger = (await shop.movements(seller, product.id)).map(({ id }) => id)
    await walk<Movement>(shop, tally, { path, as: seller, limit: 4, there: ledger, inOrder: newest, meanwhile: sell })

    const { nextCursor } = await shop.read<Page<Product>>(`${catalogue}&sort=price&limit=1`, seller)
    for (const query of [`sort=name&cursor=${nextCursor}`, 'cursor=nonsense', 'limit=0', 'limit=101', 'page=2'])
      tally.equal(told(await shop.call('GET', `${catalogue}&${query}`, { as: seller })), '422 validation-failed', query)
    tally.note(`${active.length} products, ${orders.length} orders`)
  },
}
