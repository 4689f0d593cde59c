import { z } from 'zod'
import { weakTag } from '@shop/platform/conditional'
import { reply, routesOf } from '@shop/platform/routes'
import { Cents, Id } from '@shop/platform/schemas'
import type { CartStore } from '../../application/ports'
import { NOTICES, cartLineTotalCents, cartTotalCents, noticesOf, type Cart as DomainCart } from '../../domain/cart'
import { MAX_LINES } from '../../domain/order'
import { TABLE, refused } from './problems'
import { EXAMPLE, Quantity } from './schemas'

export type CartDeps = { carts: CartStore; currency: string }

const ItemParams = z.strictObject({ productId: Id.meta({ example: EXAMPLE.productId }) })
const CartItemBody = z.strictObject({ quantity: Quantity }).meta({ id: 'CartItem', example: { quantity: 2 } })

const CartLine = z
  .object({
    productId: Id,
    name: z.string(),
    quantity: Quantity,
    unitPriceCents: Cents.meta({ description: 'Price of this moment.' }),
    seenPriceCents: Cents.meta({ description: 'Price when you set the line.' }),
    available: z.int().min(0).meta({ description: 'Units that can be ordered at this moment.' }),
    lineTotalCents: Cents.meta({ description: 'What the line adds to the total: 0 when its product is unavailable.' }),
    notices: z.array(z.enum(NOTICES)).meta({
      description:
        '`PRICE_CHANGED`: since you set the line. `SHORT`: less is available than `quantity`. `UNAVAILABLE`: the product is ' +
        'not for sale any more. With either of the last two the cart cannot be checked out as it is.',
    }),
  })
  .meta({ id: 'CartLine' })

const Cart = z
  .object({
    items: z.array(CartLine).max(MAX_LINES).meta({ description: 'In the order in which they were put in.' }),
    totalCents: Cents,
    currency: z.string().length(3),
  })
  .meta({
    id: 'Cart',
    example: {
      items: [
        {
          productId: EXAMPLE.productId,
          name: 'Pour-over coffee dripper',
          quantity: 2,
          unitPriceCents: 2400,
          seenPriceCents: 2600,
          available: 120,
          lineTotalCents: 4800,
          notices: ['PRICE_CHANGED'],
        },
      ],
      totalCents: 4800,
      currency: 'USD',
    },
  })

/** The cart as it is shown. Its tag is of all that is shown, because prices and stock change without the cart's doing. */
function shown(cart: DomainCart, { currency }: CartDeps) {
  const view: z.input<typeof Cart> = {
    items: cart.lines.map((line) => ({
      productId: line.productId,
      name: line.name,
      quantity: line.quantity,
      unitPriceCents: line.unitPriceCents,
      seenPriceCents: line.seenPriceCents,
      available: line.available,
      lineTotalCents: cartLineTotalCents(line),
      notices: noticesOf(line),
    })),
    totalCents: cartTotalCents(cart),
    currency,
  }
  return reply(200, view, { ETag: weakTag(JSON.stringify(view)) })
}

const route = routesOf<CartDeps>()(TABLE)
const buyers = { roles: ['BUYER'] } as const

export const cartRoutes = [
  route(
    {
      method: 'get',
      path: '/orders/cart',
      operationId: 'readCart',
      tag: 'cart',
      summary: 'Read your cart',
      description:
        'At the prices and with the stock of this moment; putting something into a cart reserves nothing. A line whose product ' +
        'went away stays, and is not in the total.',
      access: buyers,
      responses: { 200: { description: 'The cart.', body: Cart, headers: ['ETag'] } },
      problems: [],
    },
    async ({ caller }, deps) => shown(await deps.carts.read(caller.id), deps),
  ),
  route(
    {
      method: 'put',
      path: '/orders/cart/items/{productId}',
      operationId: 'putCartItem',
      tag: 'cart',
      summary: 'Put a product into your cart',
      description: `Sets its quantity, whatever it was before, and accepts the price of this moment. A cart has at most ${MAX_LINES} products.`,
      access: buyers,
      params: ItemParams,
      body: CartItemBody,
      responses: { 200: { description: 'The cart as it is now.', body: Cart, headers: ['ETag'] } },
      problems: ['product-unavailable', 'cart-full'],
    },
    async ({ params: { productId }, body: { quantity }, caller }, deps) => {
      const cart = await deps.carts.put(caller.id, { productId, quantity })
      return cart.ok ? shown(cart.value, deps) : refused(cart.error)
    },
  ),
  route(
    {
      method: 'delete',
      path: '/orders/cart/items/{productId}',
      operationId: 'removeCartItem',
      tag: 'cart',
      summary: 'Take a product out of your cart',
      description: 'Repeatable: a product that is not in the cart is answered alike.',
      access: buyers,
      params: ItemParams,
      responses: { 204: { description: 'It is not in the cart.' } },
      problems: [],
    },
    async ({ params, caller }, { carts }) => {
      await carts.remove(caller.id, params.productId)
      return reply(204)
    },
  ),
  route(
    {
      method: 'delete',
      path: '/orders/cart',
      operationId: 'clearCart',
      tag: 'cart',
      summary: 'Empty your cart',
      access: buyers,
      responses: { 204: { description: 'The cart is empty.' } },
      problems: [],
    },
    async ({ caller }, { carts }) => {
      await carts.clear(caller.id)
      return reply(204)
    },
  ),
]
