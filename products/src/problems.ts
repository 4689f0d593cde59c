import { z } from 'zod'
import { PLATFORM_PROBLEMS, type ProblemTable } from '@shop/platform/problems'

const Shortage = z
  .object({
    productId: z.uuid(),
    requested: z.int(),
    available: z.int().meta({ description: 'Units that could be had at that moment.' }),
  })
  .meta({ id: 'Shortage' })

/** The problems of this service; those of every service are the platform's. */
export const PROBLEMS = {
  'not-owner': {
    status: 403,
    title: 'Not your product',
    description: 'Only the seller who offers a product may change it or see its stock movements.',
  },
  'warehouse-not-found': {
    status: 404,
    title: 'No such warehouse',
    description: 'You have no warehouse with this id.',
  },
  'supplier-not-found': {
    status: 404,
    title: 'No such supplier',
    description: 'You have no supplier with this id.',
  },
  'product-not-found': {
    status: 404,
    title: 'No such product',
    description: 'There is no product with this id, or it is disabled and not yours.',
  },
  'disabled-by-admin': {
    status: 409,
    title: 'Disabled by an admin',
    description:
      'An admin has disabled this product: its seller can edit it, and cannot enable it. Nothing was changed.',
  },
  'insufficient-stock': {
    status: 409,
    title: 'Insufficient stock',
    description:
      'Less is available than was asked for; nothing was changed. `shortages` lists every product that is short.',
    members: {
      shortages: z
        .array(Shortage)
        .min(1)
        .meta({ example: [{ productId: '01980000-0000-7000-8000-00000000c001', requested: 3, available: 2 }] }),
    },
  },
  'stock-limit-exceeded': {
    status: 409,
    title: 'Stock limit exceeded',
    description:
      'A product can have at most `limit` units in stock; nothing was changed. `available` is what there is.',
    members: { available: z.int().meta({ example: 999_999_990 }), limit: z.int().meta({ example: 1_000_000_000 }) },
  },
  'warehouse-name-taken': {
    status: 409,
    title: 'Warehouse name taken',
    description: 'Another warehouse of yours, perhaps a disabled one, has this name in whatever case. Choose another.',
  },
  'supplier-name-taken': {
    status: 409,
    title: 'Supplier name taken',
    description: 'Another supplier of yours, perhaps a disabled one, has this name in whatever case. Choose another.',
  },
  'warehouse-unavailable': {
    status: 422,
    title: 'Warehouse unavailable',
    description: '`warehouseId` names no warehouse of yours, or a disabled one; nothing was received.',
  },
  'supplier-unavailable': {
    status: 422,
    title: 'Supplier unavailable',
    description: '`supplierId` names no supplier of yours, or a disabled one; nothing was received.',
  },
} as const satisfies ProblemTable

/** What a handler of this service may answer. */
export const TABLE = { ...PLATFORM_PROBLEMS, ...PROBLEMS }
