import { z } from 'zod'
import { EntityTags } from '@shop/platform/conditional'
import { Cents, Day, Id, pageOf, text, Timestamp } from '@shop/platform/schemas'
import { EXAMPLE, MAX_PRICE_CENTS, MAX_STOCK, Name, Status } from './schemas'

/** What a seller keeps a directory of: names that receipts refer to. */
export type Kind = 'warehouse' | 'supplier'

/** Those of the demo data, which the examples refer to. */
export const DEMO_NAMES = { warehouse: 'Main warehouse', supplier: 'Nordic Wholesale' }

const UniqueName = Name.trim().meta({
  description: 'Unique among your own, whatever its case; blanks around it are cut off.',
})

/** The schemas of one directory, told apart by their names in the document. */
function directory(kind: Kind, id: 'Warehouse' | 'Supplier', names: { other: string; better: string }) {
  const Shown = z
    .object({
      id: Id,
      name: z.string(),
      status: Status.meta({ description: `\`DISABLED\`: receipts of before show it, new ones can't name it.` }),
      createdAt: Timestamp,
      updatedAt: Timestamp,
    })
    .meta({
      id,
      example: {
        id: EXAMPLE[`${kind}Id`],
        name: DEMO_NAMES[kind],
        status: 'ACTIVE',
        createdAt: '2026-11-21T08:30:00.000Z',
        updatedAt: '2026-11-21T08:30:00.000Z',
      },
    })
  return {
    Shown,
    ShownPage: pageOf(Shown).meta({ id: `${id}Page` }),
    Params: z.strictObject({ id: Id.meta({ example: EXAMPLE[`${kind}Id`] }) }),
    New: z.strictObject({ name: UniqueName }).meta({ id: `New${id}`, example: { name: names.other } }),
    Changes: z
      .strictObject({ name: UniqueName.optional(), status: Status.optional() })
      .refine((changes) => Object.keys(changes).length > 0, 'must have at least one field')
      .meta({
        id: `${id}Changes`,
        minProperties: 1,
        description: 'What is not named stays as it is.',
        example: { name: names.better },
      }),
  }
}

export const DIRECTORIES = {
  warehouse: directory('warehouse', 'Warehouse', {
    other: 'Harbour warehouse',
    better: 'Main warehouse, gate 2',
  }),
  supplier: directory('supplier', 'Supplier', {
    other: 'Alpine Imports',
    better: 'Nordic Wholesale AB',
  }),
}

export const EntryEditHeaders = z.object({
  'if-match': EntityTags.optional().meta({
    description: 'The ETag of what is edited as it was read, or `*`. Without it the answer is 428.',
    example: '*',
  }),
})

export const NewReceipt = z
  .strictObject({
    warehouseId: Id.meta({ description: 'An active warehouse of yours.' }),
    supplierId: Id.nullable().default(null).meta({ description: 'An active supplier of yours.' }),
    quantity: z.int().min(1).max(MAX_STOCK).meta({ description: 'Units that came.' }),
    batchNumber: text(1, 100).regex(/\S/, 'must not be blank').nullable().default(null),
    manufacturedOn: Day.nullable().default(null),
    expiresOn: Day.nullable().default(null).meta({ description: 'Later than `manufacturedOn`.' }),
    unitCostCents: Cents.max(MAX_PRICE_CENTS).nullable().default(null).meta({
      description: 'What one unit cost, in integer minor units of the currency of the shop.',
    }),
  })
  .refine(({ manufacturedOn, expiresOn }) => !manufacturedOn || !expiresOn || expiresOn > manufacturedOn, {
    path: ['expiresOn'],
    message: 'must be later than manufacturedOn',
    when: ({ value }) => typeof value === 'object' && value !== null, // also where another field breaks its own rule
  })
  .meta({
    id: 'NewReceipt',
    example: {
      warehouseId: EXAMPLE.warehouseId,
      supplierId: EXAMPLE.supplierId,
      quantity: 24,
      batchNumber: 'NW-2026-117',
      manufacturedOn: '2026-10-05',
      expiresOn: '2031-10-05',
      unitCostCents: 1150,
    },
  })
export type NewReceipt = z.output<typeof NewReceipt>

export const Receipt = z
  .object({
    id: Id,
    productId: Id,
    warehouseId: Id,
    supplierId: Id.nullable(),
    quantity: z.int().min(1),
    batchNumber: z.string().nullable(),
    manufacturedOn: z.iso.date().nullable(),
    expiresOn: z.iso.date().nullable(),
    unitCostCents: Cents.nullable(),
    movementId: Id.meta({ description: 'The line in the ledger, `RECEIVED`, that this receipt is about.' }),
    createdAt: Timestamp,
  })
  .meta({
    id: 'Receipt',
    example: {
      id: '01980000-0000-7000-8000-00000000d002',
      productId: EXAMPLE.productId,
      warehouseId: EXAMPLE.warehouseId,
      supplierId: EXAMPLE.supplierId,
      quantity: 24,
      batchNumber: 'NW-2026-117',
      manufacturedOn: '2026-10-05',
      expiresOn: '2031-10-05',
      unitCostCents: 1150,
      movementId: '01980000-0000-7000-8000-00000000d001',
      createdAt: '2026-11-21T08:30:00.000Z',
    },
  })
export const ReceiptPage = pageOf(Receipt).meta({ id: 'ReceiptPage' })

export const Received = z
  .object({ receipt: Receipt, available: z.int().min(0).meta({ description: 'Units after the receipt.' }) })
  .meta({ id: 'Received' })
