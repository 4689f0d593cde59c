import type { PrismaClient } from './accounts'
import type { Hashing } from './hashing'

const PASSWORD = 'password'

/** Fixed ids: the demo products belong to the seller, and the examples of the OpenAPI documents name them. */
const ACCOUNTS = [
  {
    id: '01980000-0000-7000-8000-00000000b001',
    username: 'user-1',
    email: 'user-1@example.com',
    role: 'BUYER',
    displayName: 'Uma Buyer',
    shippingAddress: '1 Harbour Street, 20457 Hamburg, Germany',
  },
  {
    id: '01980000-0000-7000-8000-00000000a001',
    username: 'seller-1',
    email: 'seller-1@example.com',
    role: 'SELLER',
    displayName: 'Sam Seller',
    storeName: 'The Corner Shop',
  },
]

/** Makes the demo accounts that are missing; one that exists, changed or not, stays as it is. */
export async function loadDemoAccounts({ prisma, hashing }: { prisma: PrismaClient; hashing: Hashing }): Promise<void> {
  const present = await prisma.user.findMany({
    where: { id: { in: ACCOUNTS.map(({ id }) => id) } },
    select: { id: true },
  })
  const missing = ACCOUNTS.filter(({ id }) => !present.some((user) => user.id === id))
  if (missing.length === 0) return
  const passwordHash = await hashing.inTurn(({ hash }) => hash(PASSWORD))
  // Another replica may be doing the same, and somebody may have taken a name.
  await prisma.user.createMany({ data: missing.map((account) => ({ ...account, passwordHash })), skipDuplicates: true })
}
