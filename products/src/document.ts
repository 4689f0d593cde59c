import { openApiDocument } from '@shop/platform/openapi'
import { PROBLEMS } from './problems'
import { routes } from './routes'

export const document = openApiDocument({
  title: 'Products',
  description: 'The catalogue, and the stock of every product with the ledger of all that ever changed it.',
  tags: [
    { name: 'catalogue', description: 'Anybody searches and reads what is for sale.' },
    { name: 'selling', description: 'A seller offers products and keeps their stock.' },
    { name: 'receiving', description: 'A seller keeps warehouses and suppliers, and receives stock.' },
    { name: 'moderation', description: 'An admin sees all products, and disables them.' },
  ],
  routes,
  problems: PROBLEMS,
})
