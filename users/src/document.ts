import { openApiDocument } from '@shop/platform/openapi'
import { PROBLEMS } from './problems'
import { routes } from './routes'

export const document = openApiDocument({
  title: 'Users',
  description: 'Accounts of buyers and sellers, and the access tokens that every other call needs.',
  tags: [
    { name: 'users', description: 'Accounts, logins and tokens.' },
    { name: 'accounts', description: 'An admin sees all accounts, and disables them.' },
  ],
  routes,
  problems: PROBLEMS,
})
