import { openApiDocument } from '@shop/platform/openapi'
import { PROBLEMS } from './adapters/http/problems'
import { routes } from './adapters/http/routes'

export const document = openApiDocument({
  title: 'Orders',
  description:
    'Placing and cancelling orders. Stock and order are one transaction: the last unit goes to exactly one buyer.',
  tags: [
    { name: 'cart', description: 'A buyer puts products into a cart and orders all of it.' },
    { name: 'orders', description: 'A buyer places, reads and cancels orders.' },
    { name: 'payment', description: 'A buyer pays an order, once.' },
    { name: 'shipping', description: 'Sellers send what was paid; the buyer sees how far it is.' },
    { name: 'sales', description: 'What a seller has sold.' },
  ],
  routes,
  problems: PROBLEMS,
})
