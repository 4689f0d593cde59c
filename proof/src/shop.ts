import { randomBytes } from 'node:crypto'
import type { Party } from './accounts'
import { Undecided } from './report'
import { isBusy, type Answer, type Call, type Client, type Request } from './client'

// What the shop says, as far as it is read here.
export type OrderLine = {
  productId: string
  sellerId: string
  name: string
  quantity: number
  unitPriceCents: number
  lineTotalCents: number
}
export type Order = {
  id: string
  buyerId: string
  status: string
  paymentStatus: string
  items: OrderLine[]
  totalCents: number
  createdAt: string
}
export type Product = {
  id: string
  sellerId: string
  name: string
  priceCents: number
  status: string
  available: number
}
export type Movement = { id: string; productId: string; delta: number; reason: string; orderId: string | null }
export type Cart = { items: { productId: string; quantity: number; available: number }[]; totalCents: number }
/** An order as one of its sellers sees it. */
export type Sale = Omit<Order, 'buyerId'> & { shipmentStatus: string | null }
export type SalesDay = { day: string; productId: string; units: number; revenueCents: number; cancelledUnits: number }
export type TrackingEntry = { at: string; sellerId?: string; status: string }
export type Page<Item> = { items: Item[]; nextCursor: string | null }
export type Shortage = { productId: string; requested: number; available: number }

export type Lines = readonly (readonly [productId: string, quantity: number])[]

/** An answer that should have been there was another: what was to be found out cannot be. */
class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer'
}

export const newKey = (): string => randomBytes(12).toString('hex')

/**
 * The calls of a shop by their names. Waits are the client's business; an answer that is still 429, 502, 503 or 504 after all of
 * its patience is Undecided, and never an answer.
 */
export function shopAt(client: Client) {
  const decided = <Body>(answer: Answer<Body>): Answer<Body> => {
    if (!isBusy(answer)) return answer
    throw new Undecided(`the shop went on answering ${answer.status} ${answer.problem?.code ?? ''}`.trim())
  }
  const call = async <Body>(method: string, path: string, made: Call = {}) =>
    decided(await client.call<Body>(method, path, made))

  async function read<Body>(path: string, as: Party): Promise<Body> {
    const answer = await call<Body>('GET', path, { as })
    if (answer.status === 200 && answer.body !== undefined) return answer.body
    throw new WrongAnswer(`GET ${path} answered ${told(answer)}`)
  }

  function page<Item>(path: string, as: Party, { limit, cursor }: { limit: number; cursor: string | undefined }) {
    const after = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
    return read<Page<Item>>(`${path}${path.includes('?') ? '&' : '?'}limit=${limit}${after}`, as)
  }

  async function all<Item>(path: string, as: Party): Promise<Item[]> {
    const items: Item[] = []
    for (let cursor: string | null | undefined; cursor !== null;) {
      const next: Page<Item> = await page(path, as, { limit: 100, cursor })
      items.push(...next.items)
      cursor = next.nextCursor
    }
    return items
  }

  return {
    call,
    together: async <Body>(requests: readonly Request[]) => (await client.together<Body>(requests)).map(decided),
    abandon: client.abandon,
    read,
    page,
    all,
    place: (buyer: Party, lines: Lines, key?: string | null) => {
      const { method, path, ...made } = placing(buyer, lines, key)
      return call<Order>(method, path, made)
    },
    cancel: (buyer: Party, orderId: string) => {
      const { method, path, ...made } = cancelling(buyer, orderId)
      return call<Order>(method, path, made)
    },
    cart: (buyer: Party) => read<Cart>('/orders/cart', buyer),
    putInCart: (buyer: Party, productId: string, quantity: number) =>
      call<Cart>('PUT', `/orders/cart/items/${productId}`, { as: buyer, body: { quantity } }),
    order: (buyer: Party, orderId: string) => read<Order>(`/orders/${orderId}`, buyer),
    product: (as: Party, id: string) => read<Product>(`/products/${id}`, as),
    pay: (buyer: Party, orderId: string, card?: string, key?: string) => {
      const { method, path, ...made } = paying(buyer, orderId, card, key)
      return call<Order>(method, path, made)
    },
    ship: (seller: Party, orderId: string, status: string) =>
      call<Sale>('POST', `/orders/${orderId}/shipment`, { as: seller, body: { status } }),
    tracking: (as: Party, orderId: string) => all<TrackingEntry>(`/orders/${orderId}/tracking`, as),
    changeStock: (seller: Party, id: string, delta: number, reason: string, key = newKey()) =>
      call<{ available: number; movement: Movement }>('POST', `/products/${id}/stock`, {
        as: seller,
        key,
        body: { delta, reason },
      }),
    edit: (seller: Party, id: string, changes: object, ifMatch = '*') =>
      call<Product>('PATCH', `/products/${id}`, {
        as: seller,
        body: changes,
        headers: { 'if-match': ifMatch },
        repeatable: ifMatch === '*',
      }),
    movements: (seller: Party, id: string) => all<Movement>(`/products/${id}/stock/movements`, seller),
  }
}
export type Shop = ReturnType<typeof shopAt>

/** An order still to be placed, for calls that are made together; `null` is no key. */
export const placing = (buyer: Party, lines: Lines, key: string | null = newKey()): Request => ({
  method: 'POST',
  path: '/orders',
  as: buyer,
  ...(key !== null && { key }),
  body: { items: lines.map(([productId, quantity]) => ({ productId, quantity })) },
})

export const cancelling = (buyer: Party, orderId: string): Request => ({
  method: 'POST',
  path: `/orders/${orderId}/cancel`,
  as: buyer,
  repeatable: true,
})

export const checkingOut = (buyer: Party, key = newKey()): Request => ({
  method: 'POST',
  path: '/orders/cart/checkout',
  as: buyer,
  key,
  body: {},
})

/** Test cards of the simulated gateway. */
export const CARDS = { good: '4242424242424242', declined: '4000000000000002', failsAtFirst: '4000000000000119' }

export const paying = (buyer: Party, orderId: string, card = CARDS.good, key = newKey()): Request => ({
  method: 'POST',
  path: `/orders/${orderId}/payment`,
  as: buyer,
  key,
  body: { cardNumber: card, expMonth: 12, expYear: new Date().getUTCFullYear() + 3, cvc: '123' },
})

/** Status and code, or why there is neither. */
export const told = ({ status, problem, fault }: Answer): string =>
  status === 0 ? `nothing (${fault})` : `${status} ${problem?.code ?? ''}`.trim()
