// GET /products as it would be with Prisma's findMany behind Express and nothing else: no validation, log, ETag or metrics.
import { PrismaPg } from '@prisma/adapter-pg'
import express from 'express'
import pg from 'pg'

type Product = { id: string; inventory: { available: number } }
/** What is used of the client that was generated for this run. */
type Client = {
  PrismaClient: new (options: object) => { product: { findMany: (query: object) => Promise<Product[]> } }
}

const PAGE = 20

async function main(): Promise<void> {
  const { PrismaClient } = (await import(process.argv[2] ?? '')) as Client
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { schema: 'products' }) })
  const app = express().disable('x-powered-by').disable('etag')
  app.get('/products', async (_request, response) => {
    const found = await prisma.product.findMany({
      where: { status: 'ACTIVE' },
      orderBy: { id: 'desc' },
      take: PAGE + 1,
      omit: { version: true },
      include: { inventory: { select: { available: true } } },
    })
    const items = found
      .slice(0, PAGE)
      .map(({ inventory, ...product }) => ({ ...product, ...inventory, currency: 'USD' }))
    response.json({ items, nextCursor: found.length > PAGE ? items.at(-1)?.id : null })
  })
  const server = app.listen(Number(process.env.PORT), '127.0.0.1')
  process.once('SIGTERM', () => {
    server.close(() => void pool.end())
    server.closeAllConnections()
  })
}

void main()
