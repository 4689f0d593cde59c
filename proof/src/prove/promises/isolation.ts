import type { Answer, Caller } from '../../client'
import { told, type Order, type Product } from '../../shop'
import { stockIs, type ShopPromise } from '../promise'

export const buyersApart: ShopPromise = {
  name: 'buyers-apart',
  promise: 'one buyer can neither read, list nor change what is another’s',
  needs: { buyers: 2 },
  look: async (world, tally) => {
    const { shop, buyers } = world
    const [a, b] = [buyers[0]!, buyers[1]!]
    const product = await world.list(5)
    const placed = await shop.place(a, [[product.id, 2]])
    if (!tally.equal(told(placed), '201', 'an order')) return
    const { id } = placed.body!
    const path = `/orders/${id}`

    const impostor = { 'x-user-id': a.id, 'x-user-role': 'BUYER', 'x-forwarded-user': a.username }
    for (const headers of [{}, impostor]) {
      tally.equal(
        told(await shop.call('GET', path, { as: b, headers })),
        '404 order-not-found',
        'reading another’s order',
      )
      const cancelled = await shop.call('POST', `${path}/cancel`, { as: b, headers })
      tally.equal(told(cancelled), '404 order-not-found', 'cancelling another’s order')
      const payment = await shop.pay(b, id)
      tally.equal(told(payment), '404 order-not-found', 'paying another’s order')
      const tracked = await shop.call('GET', `${path}/tracking`, { as: b, headers })
      tally.equal(told(tracked), '404 order-not-found', 'tracking another’s order')
      const me = await shop.call<{ id: string }>('GET', '/users/me', { as: b, headers })
      tally.equal(me.body?.id, b.id, 'who the profile is of')
      const own = await shop.call<{ buyerId: string }>('POST', '/orders', {
        ...{ as: b, headers, key: `${id}-${Object.keys(headers).length}` },
        body: { items: [{ productId: product.id, quantity: 1 }] },
      })
      tally.equal(own.body?.buyerId, b.id, 'whose order it is')
    }
    const listed = await shop.all<Order>('/orders', b)
    tally.equal(
      listed.filter(({ buyerId }) => buyerId !== b.id),
      [],
      `orders of others in the list of ${b.username}`,
    )
    const asA = await shop.call('GET', `/orders?buyerId=${a.id}`, { as: b })
    tally.equal(told(asA), '422 validation-failed', 'listing the orders of a buyer by id')
    const absent = await shop.call(
      'GET',
      path.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      { as: b },
    )
    const foreign = await shop.call('GET', path, { as: b })
    const words = ({ status, problem }: Answer) => ({
      status,
      code: problem?.code,
      title: problem?.title,
      detail: problem?.detail,
    })
    tally.equal(words(foreign), words(absent), 'what is said of another’s order and of none')

    tally.equal(await shop.order(a, id), placed.body, `order ${id}, untouched`)
    await stockIs(world, tally, product, 1)
    tally.note(`order ${id} of ${a.username}, tried by ${b.username}`)
  },
}

export const sellersApart: ShopPromise = {
  name: 'sellers-apart',
  promise: 'one seller can change neither the product nor the stock of another, nor read its ledger',
  needs: { sellers: 2 },
  look: async (world, tally) => {
    const { shop, buyers, sellers } = world
    const [a, b] = [sellers[0]!, sellers[1]!]
    const product = await world.list(5, { seller: a })
    const path = `/products/${product.id}`
    const before = await shop.product(a, product.id)
    const tries: [method: string, path: string, body?: object][] = [
      ['PATCH', path, { priceCents: 1 }],
      ['PATCH', path, { status: 'DISABLED' }],
      ['POST', `${path}/stock`, { delta: 100, reason: 'RECEIVED' }],
      ['POST', `${path}/stock`, { delta: -5, reason: 'DAMAGED' }],
      ['GET', `${path}/stock/movements`],
    ]
    for (const [method, where, body] of tries) {
      const headers = { 'x-user-id': a.id, ...(method === 'PATCH' && { 'if-match': '*' }) }
      tally.equal(told(await shop.call(method, where, { as: b, body, headers })), '403 not-owner', `${method} ${where}`)
      const buyer = await shop.call(method, where, { as: buyers[0], body, headers })
      tally.equal([buyer.status, buyer.outcome], [403, 'refused'], `${method} ${where} by a buyer`)
    }
    const mine = await shop.all<Product>('/products/mine', b)
    tally.equal(
      mine.filter(({ sellerId }) => sellerId !== b.id),
      [],
      `products of others in the list of ${b.username}`,
    )
    tally.equal(await shop.product(a, product.id), before, `product ${product.id}, untouched`)
    await stockIs(world, tally, product, 5)

    await shop.edit(a, product.id, { status: 'DISABLED' })
    for (const as of [b, buyers[0]]) {
      tally.equal(told(await shop.call('GET', path, { as })), '404 product-not-found', 'a disabled product of another')
      const found = await shop.all<Product>(`/products?sellerId=${a.id}`, b)
      tally.equal(
        found.filter(({ id }) => id === product.id),
        [],
        'a disabled product in the catalogue',
      )
    }
    const sell = await shop.call('POST', '/orders', {
      as: b,
      body: { items: [{ productId: product.id, quantity: 1 }] },
    })
    tally.equal(sell.status, 403, 'an order by a seller')
    const list = await shop.call('POST', '/products', { as: buyers[0], body: { name: 'x', priceCents: 1, stock: 1 } })
    tally.equal(list.status, 403, 'a product by a buyer')
    tally.note(`product ${product.id} of ${a.username}, tried by ${b.username}`)
  },
}

export const forgedTokens: ShopPromise = {
  name: 'forged-tokens',
  promise: 'nobody is let in without a token that the shop signed',
  look: async (world, tally) => {
    const { shop, buyers } = world
    const victim = buyers[0]!
    const product = await world.list(3)
    const [header, payload, signature] = (await victim.token()).split('.') as [string, string, string]
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
    const claims = decode(payload)
    const forged: Record<string, string> = {
      'no algorithm': `${encode({ ...decode(header), alg: 'none' })}.${payload}.`,
      'another role': `${header}.${encode({ ...claims, role: 'SELLER' })}.${signature}`,
      'another subject': `${header}.${encode({ ...claims, sub: world.sellers[0]!.id })}.${signature}`,
      'a later end': `${header}.${encode({ ...claims, exp: Number(claims.exp) + 86_400 })}.${signature}`,
      'another signature': `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      'no signature': `${header}.${payload}.`,
      'no token': '',
    }
    for (const [what, token] of Object.entries(forged)) {
      const as: Caller | undefined = token === '' ? undefined : { token: () => Promise.resolve(token) }
      const calls = [
        await shop.call('GET', '/users/me', { as }),
        await shop.call('GET', '/orders', { as }),
        await shop.call('POST', '/orders', { as, body: { items: [{ productId: product.id, quantity: 1 }] } }),
        await shop.call('POST', `/products/${product.id}/stock`, { as, body: { delta: 1, reason: 'RECEIVED' } }),
      ]
      tally.count('calls', calls.length)
      for (const answer of calls) {
        tally.equal(answer.status, 401, `a call with ${what}`)
        tally.that(
          /^Bearer\b/.test(answer.headers['www-authenticate'] ?? ''),
          `401 without WWW-Authenticate for ${what}`,
        )
      }
    }
    await stockIs(world, tally, product, 3)
    tally.note(`${Object.keys(forged).length} ways`)
  },
}
