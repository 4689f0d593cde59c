import { told, type Product } from '../../shop'
import type { ShopPromise } from '../promise'

export const conditionalReads: ShopPromise = {
  name: 'conditional-reads',
  promise: 'what has not changed is 304 without a body, and what has is sent again',
  look: async (world, tally) => {
    const { shop, callers } = world
    const buyer = callers[0]!
    const product = await world.list(5)
    const placed = await shop.place(buyer, [[product.id, 1]])
    const order = `/orders/${placed.body?.id}`
    const path = `/products/${product.id}`
    const changes: [path: string, change: () => Promise<unknown>][] = [
      [path, () => shop.place(buyer, [[product.id, 1]])],
      [path, () => shop.edit(product.seller, product.id, { priceCents: 5 })],
      [path, () => shop.changeStock(product.seller, product.id, 1, 'RECEIVED')],
      [order, () => shop.cancel(buyer, placed.body?.id ?? '')],
    ]
    for (const [where, change] of changes) {
      const read = async (tag?: string) =>
        shop.call('GET', where, { as: buyer, ...(tag !== undefined && { headers: { 'if-none-match': tag } }) })
      const etag = (await read()).headers.etag
      if (!tally.that(etag !== undefined && /^(W\/)?"[^"]+"$/.test(etag), `${where} has no ETag but ${etag}`)) continue
      for (const tag of [etag!, `W/${etag!.replace(/^W\//, '')}`, `"other", ${etag}`, '*']) {
        const same = await read(tag)
        tally.equal([same.status, same.text], [304, ''], `${where} with If-None-Match: ${tag}`)
      }
      tally.equal((await read('"other"')).status, 200, `${where} with another tag`)
      await change()
      const now = await read(etag)
      tally.equal(now.status, 200, `${where} after a change, with the tag from before`)
      tally.that(now.headers.etag !== etag, `${where} changed and its ETag did not: ${etag}`)
      tally.count('resources')
    }
    tally.note(path)
  },
}

export const conditionalEdits: ShopPromise = {
  name: 'conditional-edits',
  promise: 'of editors who read the same version one succeeds; a sale in between disturbs nobody',
  look: async (world, tally) => {
    const { shop, callers } = world
    const product = await world.list(50)
    const { seller, id } = product
    const path = `/products/${id}`
    const tagNow = async () => (await shop.call('GET', path, { as: seller })).headers.etag ?? ''
    const patch = (changes: object, headers: Record<string, string> = {}) =>
      shop.call<Product>('PATCH', path, { as: seller, body: changes, headers })

    const read = await tagNow()
    tally.equal(told(await patch({ priceCents: 1 })), '428 precondition-required', 'an edit without If-Match')
    tally.equal(told(await shop.place(callers[0]!, [[id, 1]])), '201', 'a sale')
    const edited = await patch({ priceCents: 2 }, { 'if-match': read })
    tally.equal([told(edited), edited.body?.priceCents], ['200', 2], 'an edit after a sale')
    for (const stale of [read, '"none"', `W/${read.replace(/^W\//, '')}`])
      tally.equal(
        told(await patch({ priceCents: 3 }, { 'if-match': stale })),
        '412 precondition-failed',
        `If-Match: ${stale}`,
      )
    tally.equal((await shop.product(seller, id)).priceCents, 2, 'the price after refused edits')

    for (let n = 0; n < 3; n++) {
      const tag = await tagNow()
      const edits = callers.map((_, i) => ({ priceCents: 100 * (n + 1) + i }))
      const answers = await shop.together<Product>(
        edits.map((body) => ({ method: 'PATCH', path, as: seller, body, headers: { 'if-match': tag } })),
      )
      const won = answers.filter(({ status }) => status === 200)
      tally.equal(won.length, 1, `edits of version ${tag} that succeeded`)
      tally.equal(
        answers.filter((answer) => told(answer) === '412 precondition-failed').length,
        edits.length - 1,
        'edits that were refused',
      )
      tally.equal((await shop.product(seller, id)).priceCents, won[0]?.body?.priceCents, 'the price after the race')
      tally.count('edits', edits.length)
    }
    tally.equal(told(await patch({ priceCents: 9 }, { 'if-match': '*' })), '200', 'If-Match: *')
    tally.note(path)
  },
}
