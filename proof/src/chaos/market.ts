import type { Answer, Caller, Client } from '../client'
import type { Call, Deed, Line, Recorder } from './history'
import type { CardName } from './load'

/** An account, and the token that it has at this moment. */
export type Party = Caller & { username: string; id: string; stale: boolean; logIn: () => Promise<Call> }
export type Product = { id: string; seller: Party }
type Told = { id?: string; movement?: { id: string } }

/** The calls that the load is made of, each written down as it is made. */
export function openMarket(client: Client, recorder: Recorder) {
  /** What is for sale, the hot ones first. */
  const products: Product[] = []

  /** Makes the call that a deed is for. Whoever repeats it makes the same one. */
  async function perform(deed: Deed, by?: Party): Promise<Answer<Told> & { call: Call }> {
    const { wish } = deed
    const { method, path, body, headers } = requestOf(deed)
    const call = { as: by, body, ...(headers && { headers }), ...(deed.key !== undefined && { key: deed.key }) }
    const answer = await recorder.record(
      wish.do === 'pay' && wish.card === 'fails at first' ? 'pay at the second try' : wish.do,
      () => client.call<Told>(method, path, call),
      deed,
      ({ body: told }) => told?.movement?.id ?? told?.id ?? '',
    )
    if (by && answer.status === 401) by.stale = true
    return answer
  }

  async function read<Body>(action: string, path: string, by?: Party): Promise<Answer<Body> & { call: Call }> {
    const answer = await recorder.record(action, () => client.call<Body>('GET', path, { as: by }))
    if (by && answer.status === 401) by.stale = true
    return answer
  }

  /** Opens an account; nobody comes of it unless the answer says so. */
  async function register(username: string, role: 'BUYER' | 'SELLER'): Promise<Party | undefined> {
    const deed = recorder.begin({ mark: username, by: username, wish: { do: 'register', role } })
    const { body } = await perform(deed)
    if (body?.id === undefined) return undefined
    let token = ''
    const party: Party = {
      username,
      id: body.id,
      stale: true,
      token: () => Promise.resolve(token),
      logIn: async () => {
        const credentials = { username, password: passwordOf(username) }
        const { body: issued, call } = await recorder.record('log in', () =>
          client.call<{ access_token: string }>('POST', '/users/token', { body: credentials }),
        )
        if (issued) token = issued.access_token
        party.stale = !issued
        return call
      },
    }
    return party
  }

  return {
    products,
    perform,
    read,
    register,
    /** Puts a product up for sale, and remembers it when the answer says so. */
    async listProduct(deed: Deed, seller: Party): Promise<Product | undefined> {
      const { body } = await perform(deed, seller)
      if (body?.id === undefined) return undefined
      const known = products.find(({ id }) => id === body.id)
      const product = known ?? { id: body.id, seller }
      if (!known) products.push(product)
      return product
    },
    /** Empties the cart and puts the lines in; whether all of that went well. */
    async fillCart(lines: readonly Line[], buyer: Party): Promise<boolean> {
      const change = async (action: string, method: string, path: string, body?: unknown) => {
        const answer = await recorder.record(action, () => client.call(method, path, { as: buyer, body }))
        if (answer.status === 401) buyer.stale = true
        return answer.call.outcome === 'ok'
      }
      if (!(await change('empty the cart', 'DELETE', '/orders/cart'))) return false
      for (const { productId, quantity } of lines)
        if (!(await change('fill the cart', 'PUT', `/orders/cart/items/${productId}`, { quantity }))) return false
      return true
    },
    async readOrder(orderId: string, buyer: Party): Promise<void> {
      const { call, body } = await read<{ status: string }>('read an order', `/orders/${orderId}`, buyer)
      const { begunAt, ms, status } = call
      recorder.history.sightings.push({ orderId, begunAt, ms, status, ...(body && { orderStatus: body.status }) })
    },
    /** Makes the call and leaves; of half a request nothing may come. */
    async leave(deed: Deed, by: Party, { afterMs, half }: { afterMs: number; half: boolean }): Promise<void> {
      const { method, path, body } = requestOf(deed)
      const payload = JSON.stringify(body)
      const announced = { 'content-length': String(Buffer.byteLength(payload) + 100) }
      const begunAt = recorder.now()
      await client.abandon(method, path, {
        as: by,
        body: payload,
        afterMs,
        ...(half && { headers: announced }),
        ...(deed.key !== undefined && { key: deed.key }),
      })
      recorder.leave(deed.wish.do, begunAt, deed, half ? 'refused' : 'unknown')
    },
  }
}
export type Market = ReturnType<typeof openMarket>

/** Scratch accounts, and the same after every start with the same seed. */
const passwordOf = (username: string): string => `secret of ${username}`

const CARD_NUMBERS: Readonly<Record<CardName, string>> = {
  succeeds: '4242424242424242',
  'is declined': '4000000000000002',
  'fails at first': '4000000000000119',
}

type Request = { method: string; path: string; body?: unknown; headers?: Record<string, string> }

function requestOf({ wish, mark }: Pick<Deed, 'wish' | 'mark'>): Request {
  switch (wish.do) {
    case 'order':
      return { method: 'POST', path: '/orders', body: { items: wish.lines, notes: mark } }
    case 'check out':
      return { method: 'POST', path: '/orders/cart/checkout', body: { notes: mark } }
    case 'cancel':
      return { method: 'POST', path: `/orders/${wish.orderId}/cancel` }
    case 'pay': {
      const card = { cardNumber: CARD_NUMBERS[wish.card], expMonth: 12, expYear: 2099, cvc: '123' }
      return { method: 'POST', path: `/orders/${wish.orderId}/payment`, body: card }
    }
    case 'ship':
      return { method: 'POST', path: `/orders/${wish.orderId}/shipment`, body: { status: wish.to } }
    case 'change stock': {
      const { productId, delta, reason } = wish
      return { method: 'POST', path: `/products/${productId}/stock`, body: { delta, reason, note: mark } }
    }
    case 'list product': {
      const { stock, priceCents } = wish
      return { method: 'POST', path: '/products', body: { name: nameOf(mark), priceCents, stock } }
    }
    case 'edit': {
      const { productId, version, priceCents } = wish
      const body = { name: nameOf(mark), priceCents }
      return { method: 'PATCH', path: `/products/${productId}`, body, headers: { 'if-match': `"${version}-0"` } }
    }
    case 'register': {
      const account = { username: mark, password: passwordOf(mark), email: `${mark}@example.com`, role: wish.role }
      return { method: 'POST', path: '/users', body: account }
    }
  }
}

/** A product's name tells which deed gave it. */
export const nameOf = (mark: string): string => `Thing ${mark}`
export const markOf = (name: string): string => name.replace(/^Thing /, '')
