import type pg from 'pg'
import type { Client } from '../client'
import type { Party } from './market'

/** What the shop has in the end, as its database holds it and as its calls show it. */
export type Books = {
  orders: StoredOrder[]
  products: StoredProduct[]
  /** The ledger. */
  movements: Movement[]
  usernames: string[]
  shipments: { orderId: string; sellerId: string; status: string }[]
  /** What the payment gateway has in its own books. */
  charges: Charge[]
  /** What buyers and sellers see: orders by id, units by product id, the sum of the ledger by product id. */
  shown: {
    orders: ShownOrder[]
    products: { id: string; available: number; ledger: number }[]
    /** What was answered where something could not be read. */
    unread: string[]
  }
}
export type StoredOrder = {
  id: string
  buyerId: string
  status: string
  /** The mark of the deed. */
  notes: string | null
  totalCents: number
  paymentStatus: string
  createdAt: string
  lines: { productId: string; sellerId: string; quantity: number; unitPriceCents: number }[]
}
/** A payment of the gateway; one that was closed before its charge came has no reference, which is the id of the order. */
export type Charge = {
  paymentId: string
  reference: string | null
  status: string
  amountCents: number | null
  refunded: boolean
}
export type StoredProduct = { id: string; name: string; priceCents: number; version: number; available: number }
export type Movement = { productId: string; delta: number; reason: string; note: string | null; orderId: string | null }
export type ShownOrder = Pick<StoredOrder, 'id' | 'buyerId' | 'status' | 'paymentStatus' | 'totalCents'>

/** One look at the database: every table as of the same moment. */
export async function readStored(owner: pg.Pool): Promise<Omit<Books, 'shown' | 'charges'>> {
  const look = await owner.connect()
  try {
    await look.query('begin isolation level repeatable read read only')
    const rows = async <Row extends pg.QueryResultRow>(text: string) => (await look.query<Row>(text)).rows
    const books = {
      orders: await rows<StoredOrder>(
        `select o.id, o.buyer_id as "buyerId", o.status, o.notes, o.total_cents::float8 as "totalCents",
                o.payment_status as "paymentStatus",
                to_char(o.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "createdAt",
                coalesce((select json_agg(json_build_object('productId', l.product_id, 'sellerId', l.seller_id,
                                                            'quantity', l.quantity, 'unitPriceCents', l.unit_price_cents) order by l.line_no)
                            from orders.order_lines l where l.order_id = o.id), '[]') as lines
           from orders.orders o`,
      ),
      products: await rows<StoredProduct>(
        `select p.id, p.name, p.price_cents as "priceCents", p.version, i.available
           from products.products p join products.inventory i on i.product_id = p.id`,
      ),
      movements: await rows<Movement>(
        `select product_id as "productId", delta, reason, note, order_id as "orderId" from products.stock_movements`,
      ),
      shipments: await rows<Books['shipments'][number]>(
        'select order_id as "orderId", seller_id as "sellerId", status from orders.shipments',
      ),
      usernames: (await rows<{ username: string }>('select username from users.users')).map(({ username }) => username),
    }
    await look.query('rollback')
    return books
  } finally {
    look.release()
  }
}

/** The same through the front door: every buyer's list, every product and every ledger, page by page. */
export async function readShown(
  client: Client,
  { buyers, products }: { buyers: readonly Party[]; products: readonly { id: string; seller: Party }[] },
): Promise<Books['shown']> {
  const shown: Books['shown'] = { orders: [], products: [], unread: [] }
  const readOrders = async (buyer: Party) => {
    type Item = Omit<ShownOrder, 'buyerId'>
    for (const { id, status, paymentStatus, totalCents } of await all<Item>(client, '/orders', buyer))
      shown.orders.push({ id, buyerId: buyer.id, status, paymentStatus, totalCents })
  }
  const readProduct = async (id: string, seller: Party) => {
    const movements = await all<{ delta: number }>(client, `/products/${id}/stock/movements`, seller)
    const ledger = movements.reduce((sum, { delta }) => sum + delta, 0)
    const { available } = await get<{ available: number }>(client, `/products/${id}`, seller)
    shown.products.push({ id, available, ledger })
  }
  for (const buyer of buyers) await readOrders(buyer).catch(keptIn(shown.unread))
  for (const { id, seller } of products) await readProduct(id, seller).catch(keptIn(shown.unread))
  return shown
}

class Unread extends Error {}

const keptIn =
  (unread: string[]) =>
  (error: unknown): void => {
    if (!(error instanceof Unread)) throw error
    unread.push(error.message)
  }

/** Of the gateway's own address: Nginx lets nobody through to it. */
export const readCharges = async (gateway: Client, unread: string[]): Promise<Charge[]> =>
  (await all<Charge>(gateway, '/charges').catch(keptIn(unread))) ?? []

async function all<Item>(client: Client, path: string, as?: Party): Promise<Item[]> {
  const items: Item[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const query: string = `?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
    const page = await get<{ items: Item[]; nextCursor: string | null }>(client, path + query, as)
    items.push(...page.items)
    cursor = page.nextCursor
  }
  return items
}

async function get<Body>(client: Client, path: string, as?: Party): Promise<Body> {
  const { status, body, text } = await client.call<Body>('GET', path, { as, patienceMs: 10_000 })
  if (status !== 200 || body === undefined)
    throw new Unread(`GET ${path} answered ${status} in the quiet: ${text.slice(0, 300)}`)
  return body
}
