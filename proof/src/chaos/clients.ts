import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random'
import { isOver, merged, ordersItsCart, type Deed, type Line, type Recorder, type Wish } from './history'
import { decide, type Decision, type Role } from './load'
import type { Market, Party } from './market'

/** What one client knows: who it is, what it has ordered, and the versions of what it sells. */
type Self = {
  name: string
  role: Role
  party: Party | undefined
  orders: { id: string; deed: Deed }[]
  /** Until then something may still happen to the cart that the client has given up waiting for. */
  cartUnsureUntil: number
  newMark: () => string
}

type Act<D extends Decision> = (decision: D, self: Self) => Promise<unknown>
type Acts = { readonly [Do in Decision['do']]: Act<Extract<Decision, { do: Do }>> }

type SalePage = { items: { id: string; status: string; shipmentStatus: string | null }[] }
const NEXT: Readonly<Record<string, string>> = {
  PENDING: 'PACKED',
  PACKED: 'OUT_FOR_DELIVERY',
  OUT_FOR_DELIVERY: 'DELIVERED',
}
/** Of a client's orders those that it cancels and pays: older ones have been dealt with. */
const RECENT = 20
/** Longer than a call can have an effect after its caller has given it up: a frozen process, a dead network, then its deadline. */
const LATE_MS = 30_000

const DOCUMENTS = ['/openapi.json', '/docs/', '/problems/insufficient-stock']

/** Buyers, sellers and visitors who go on and on until they are stopped, each by its own sequence of decisions. */
export function startClients(
  market: Market,
  recorder: Recorder,
  random: Random,
  parties: Record<Role, (Party | undefined)[]>,
) {
  let running = true
  const selves = (Object.keys(parties) as Role[]).flatMap((role) =>
    parties[role].map((party, n): Self => {
      let marks = 0
      const name = `${role}-${n}`
      return { name, role, party, orders: [], cartUnsureUntil: 0, newMark: () => `${name}.${++marks}` }
    }),
  )
  const acts: Acts = {
    'read product': ({ product }, { party }) => market.read('read a product', `/products/${productAt(product)}`, party),
    search: ({ words, sort }) => market.read('search', `/products?q=${words}&sort=${sort}&limit=5`),
    'read documents': (decision) => market.read('read documents', at(DOCUMENTS, decision) ?? '/'),
    register: ({ role }, self) => market.register(self.newMark(), role),
    'log in': (_, { party }) => known(party).logIn(),
    order: async ({ lines, keyed, twice }, self) => {
      const by = known(self.party)
      const deed = begin(self, by, { do: 'order', lines: linesOf(lines) }, keyed)
      await make(deed, by, twice)
      const [told] = deed.told
      if (told) self.orders.push({ id: told.id, deed })
    },
    'repeat order': async (decision, { party, orders }) => {
      const found = at(
        orders.filter(({ deed }) => deed.key !== undefined),
        decision,
      )
      if (found) await market.perform(found.deed, known(party))
    },
    cancel: async (decision, self) => {
      const [by, order] = [known(self.party), at(self.orders.slice(-RECENT), decision)]
      if (order) await market.perform(begin(self, by, { do: 'cancel', orderId: order.id }, false), by)
    },
    'check out': async ({ lines, keyed, twice }, self) => {
      const by = known(self.party)
      const wanted = merged(linesOf(lines))
      const filled = await market.fillCart(wanted, by)
      const isSure = filled && recorder.now() > self.cartUnsureUntil
      const deed = begin(self, by, { do: 'check out' }, keyed)
      await make(deed, by, twice)
      const [told] = deed.told
      if (told) self.orders.push({ id: told.id, deed })
      if (isSure && ordersItsCart(deed)) deed.wish = { do: 'check out', lines: wanted }
      if (!filled || !isOver(deed)) self.cartUnsureUntil = recorder.now() + LATE_MS
    },
    pay: async (decision, self) => {
      const [by, order] = [known(self.party), at(self.orders.slice(-RECENT), decision)]
      if (!order) return
      const { card, keyed, twice } = decision
      await make(begin(self, by, { do: 'pay', orderId: order.id, card }, keyed), by, twice)
    },
    'read cart': (_, { party }) => market.read('read the cart', '/orders/cart', known(party)),
    track: async (decision, { party, orders }) => {
      const order = at(orders, decision)
      if (order) await market.read('track an order', `/orders/${order.id}/tracking`, known(party))
    },
    ship: async (decision, self) => {
      const by = known(self.party)
      const { body } = await market.read<SalePage>('list sales', '/orders/sales?limit=50', by)
      const due = (body?.items ?? []).filter(({ status, shipmentStatus }) => status !== 'CANCELLED' && shipmentStatus && NEXT[shipmentStatus]) // prettier-ignore
      const sale = at(due, decision)
      const to = NEXT[sale?.shipmentStatus ?? '']
      if (sale && to) await market.perform(begin(self, by, { do: 'ship', orderId: sale.id, to }, false), by)
    },
    'sum up sales': (_, { party }) => market.read('sum up sales', '/orders/sales/summary', known(party)),
    'read order': async (decision, { party, orders }) => {
      const order = at(orders, decision)
      if (order) await market.readOrder(order.id, known(party))
    },
    'list orders': (_, { party }) => market.read('list orders', '/orders?limit=50', known(party)),
    leave: (decision, self) => {
      const by = known(self.party)
      return market.leave(begin(self, by, { do: 'order', lines: linesOf(decision.lines) }, true), by, decision)
    },
    'change stock': ({ product, delta, reason, keyed, twice }, self) => {
      const by = known(self.party)
      const wish = { do: 'change stock', productId: ownProduct(by, product), delta, reason } as const
      return make(begin(self, by, wish, keyed), by, twice)
    },
    edit: async ({ product, priceCents }, self) => {
      const by = known(self.party)
      const productId = ownProduct(by, product)
      const { headers } = await market.read('read a product', `/products/${productId}`, by)
      const version = /^(?:W\/)?"(\d+)-/.exec(headers.etag ?? '')?.[1]
      if (version === undefined) return // it could not be read
      const wish = { do: 'edit', productId, version: Number(version), priceCents } as const
      await market.perform(begin(self, by, wish, false), by)
    },
    'list product': ({ stock, priceCents, keyed, twice }, self) => {
      const by = known(self.party)
      const deed = begin(self, by, { do: 'list product', stock, priceCents }, keyed)
      return Promise.all([market.listProduct(deed, by), twice && market.listProduct(deed, by)])
    },
    'read ledger': ({ product }, { party }) => {
      const path = `/products/${ownProduct(known(party), product)}/stock/movements?limit=50`
      return market.read('read the ledger', path, party)
    },
    'list own products': (_, { party }) => market.read('list own products', '/products/mine?limit=50', known(party)),
  }

  function begin(self: Pick<Self, 'newMark'>, party: Party, wish: Wish, keyed: boolean): Deed {
    const mark = self.newMark()
    return recorder.begin({ mark, by: party.id, wish, ...(keyed && { key: `key-${mark}` }) })
  }
  /** Once, or twice at the same moment. */
  const make = (deed: Deed, party: Party, twice: boolean) =>
    Promise.all([market.perform(deed, party), twice && market.perform(deed, party)])
  const productAt = (index: number) => market.products[index % market.products.length]?.id ?? ''
  const linesOf = (lines: readonly { product: number; quantity: number }[]): Line[] =>
    lines.map(({ product, quantity }) => ({ productId: productAt(product), quantity }))
  const ownProduct = (party: Party, index: number) => {
    const own = market.products.filter(({ seller }) => seller === party)
    return own[index % own.length]?.id ?? ''
  }

  const loops = selves.map(async (self) => {
    const own = random.fork(self.name)
    for (let step = 0; running; step++) {
      // A client whose token was refused gets a new one, once, and goes on.
      if (self.party?.stale) await self.party.logIn()
      const decision = decide(self.role, own, step)
      await (acts[decision.do] as Act<Decision>)(decision, self)
      await sleep(decision.pauseMs)
    }
  })

  const ended = Promise.all(loops)
  ended.catch(() => undefined) // told to whoever stops them

  const buyers = parties.buyer.filter((party) => party !== undefined)
  let bursts = 0
  const burst = (name: string) => {
    const n = ++bursts
    let marks = 0
    return { newMark: () => `${name}-${n}.${++marks}` }
  }

  return {
    /** Orders whose clients leave before, while and after the shop works on them, all at once. */
    async vanish(count: number, own: Random): Promise<void> {
      const marks = burst('vanishing')
      await Promise.all(
        Array.from({ length: count }, (_, i) => {
          const by = own.pick(buyers)
          const lines = linesOf([{ product: own.int(0, 3), quantity: own.int(1, 3) }])
          const deed = begin(marks, by, { do: 'order', lines }, i % 3 > 0)
          return market.leave(deed, by, { afterMs: own.int(0, 60), half: own.oneIn(4) })
        }),
      )
    },
    /** More stock changes of some products at once than any pool has connections. */
    async crowd(productIds: readonly string[], count: number): Promise<void> {
      const marks = burst('crowd')
      await Promise.all(
        Array.from({ length: count }, (_, i) => {
          const product = market.products.find(({ id }) => id === productIds[i % productIds.length])
          if (!product) throw new Error('a crowd for a product that is not for sale')
          const wish = { do: 'change stock', productId: product.id, delta: 1, reason: 'RECEIVED' } as const
          return market.perform(begin(marks, product.seller, wish, i % 2 > 0), product.seller)
        }),
      )
    },
    /** Resolves when every call under way has had its answer. */
    stop: async (): Promise<void> => {
      running = false
      await ended
    },
  }
}
export type Clients = ReturnType<typeof startClients>

function at<T>(list: readonly T[], { which }: { which: number }): T | undefined {
  return list[Math.floor(which * list.length)]
}

function known(party: Party | undefined): Party {
  if (!party) throw new Error('this is nothing for visitors')
  return party
}
