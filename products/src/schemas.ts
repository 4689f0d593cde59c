import { z } from 'zod'
import { EntityTags } from '@shop/platform/conditional'
import {
  booleanParameter,
  Cents,
  Id,
  integerParameter,
  pageOf,
  pageQuery,
  text,
  Timestamp,
} from '@shop/platform/schemas'

export const MAX_PRICE_CENTS = 100_000_000
/** Of items, in any list. */
export const MAX_PAGE = 100
export const MAX_STOCK = 1_000_000_000
const SORTS = ['newest', 'price', '-price', 'name', 'relevance'] as const
const SELLER_REASONS = ['RECEIVED', 'CORRECTION', 'DAMAGED'] as const

/** Of the demo data, so that every example works there. */
export const EXAMPLE = {
  productId: '01980000-0000-7000-8000-00000000c001',
  sellerId: '01980000-0000-7000-8000-00000000a001',
  warehouseId: '01980000-0000-7000-8000-00000000e001',
  supplierId: '01980000-0000-7000-8000-00000000f001',
}

export const Name = text(1, 200).regex(/\S/, 'must not be blank')
const Description = text(0, 5000)
const PriceCents = Cents.max(MAX_PRICE_CENTS).meta({ description: 'Price in integer minor units of `currency`.' })
const Slug = text(1, 60).regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be a slug: lower-case words joined by hyphens')
const Category = Slug.nullable().meta({ description: 'A free slug: a category exists by being used. `null` is none.' })
export const Status = z.enum(['ACTIVE', 'DISABLED'])
// As RFC 3986 spells an address, without a user's name in it, so that it can be put into a page as it is.
const URL_CHARACTER = "[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2}"
const REST_OF_URL = `(?:${URL_CHARACTER}|[?])*`
const HTTP_URL = new RegExp(
  `^https?://[A-Za-z0-9._-]+(?::[0-9]{1,5})?(?:/(?:${URL_CHARACTER})*)?(?:[?]${REST_OF_URL})?(?:#${REST_OF_URL})?$`,
)
const ImageUrl = text(1, 2000)
  .regex(HTTP_URL, { message: 'must be an http(s) URL', abort: true })
  .refine((url) => URL.canParse(url), 'must be an http(s) URL')
  .meta({ format: 'uri' })
const ImageUrls = z.array(ImageUrl).max(10).meta({
  description: 'Where its pictures are, the most telling one first. Nobody here looks whether they are there.',
})
const Note = text(1, 500).nullable()

const EXAMPLE_PRODUCT = {
  id: EXAMPLE.productId,
  sellerId: EXAMPLE.sellerId,
  name: 'Pour-over coffee dripper',
  description: 'Ceramic dripper for one to four cups, with a wooden collar. Takes standard cone filters.',
  priceCents: 2400,
  currency: 'USD',
  category: 'kitchen',
  imageUrls: ['https://images.example.com/coffee-dripper.jpg', 'https://images.example.com/coffee-dripper-in-use.jpg'],
  status: 'ACTIVE' as const,
  disabledBy: null,
  available: 120,
  createdAt: '2026-11-21T08:30:00.000Z',
  updatedAt: '2026-11-21T08:30:00.000Z',
}

export const Product = z
  .object({
    id: Id,
    sellerId: Id,
    name: z.string(),
    description: z.string(),
    priceCents: Cents,
    currency: z.string().length(3).meta({ description: 'ISO 4217; the same for the whole shop.' }),
    category: z.string().nullable(),
    imageUrls: z.array(z.string().meta({ format: 'uri' })),
    status: Status.meta({ description: '`DISABLED`: only its seller and admins see it, and nobody can order it.' }),
    disabledBy: z.enum(['SELLER', 'ADMIN']).nullable().meta({
      description: 'Who can enable it: what an `ADMIN` has disabled, its seller cannot. `null` while it is active.',
    }),
    available: z.int().min(0).meta({ description: 'Units that can be ordered at this moment.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp.meta({ description: 'When the product was last edited; stock changes are no edits.' }),
  })
  .meta({ id: 'Product', example: EXAMPLE_PRODUCT })
export const ProductPage = pageOf(Product).meta({ id: 'ProductPage' })

export const ProductParams = z.strictObject({ id: Id.meta({ example: EXAMPLE.productId }) })

export const NewProduct = z
  .strictObject({
    name: Name,
    description: Description.default(''),
    priceCents: PriceCents,
    stock: z.int().min(0).max(MAX_STOCK).meta({ description: 'Units to begin with.' }),
    category: Category.default(null),
    imageUrls: ImageUrls.default([]),
  })
  .meta({
    id: 'NewProduct',
    example: {
      name: 'Cast-iron skillet',
      description: 'Pre-seasoned, 26 cm, for every stove.',
      priceCents: 3950,
      stock: 25,
      category: 'kitchen',
      imageUrls: ['https://images.example.com/skillet.jpg'],
    },
  })

export const ProductChanges = z
  .strictObject({
    name: Name.optional(),
    description: Description.optional(),
    priceCents: PriceCents.optional(),
    category: Category.optional(),
    imageUrls: ImageUrls.optional(),
    status: Status.optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, 'must have at least one field')
  .meta({
    id: 'ProductChanges',
    minProperties: 1,
    description: 'What is not named stays as it is. Stock is changed by `POST /products/{id}/stock` only.',
    example: { priceCents: 2250 },
  })

export const EditHeaders = z.object({
  'if-match': EntityTags.optional().meta({
    description:
      'The ETag of the product as it was read, or `*`. Only its version counts, which stock changes leave alone. Without it the answer is 428.',
    example: '*',
  }),
})

const isBelow = (low: number | undefined, high: number | undefined) =>
  low !== undefined && high !== undefined && high < low

export const ListQuery = z
  .strictObject({
    q: text(1, 100)
      .optional()
      .meta({
        description:
          'Finds the products whose name or description has every one of these words, or words that begin with them. When there ' +
          'is none, words may be misspelt: by a letter that is missing, too much, another one or in another place. ' +
          'Case and punctuation do not matter; punctuation alone finds nothing.',
        example: 'coffee',
      }),
    category: Slug.optional().meta({ description: 'Slug of a category; `GET /products/categories` lists them.' }),
    sellerId: Id.optional().meta({ description: 'Products of this seller.' }),
    minPriceCents: integerParameter(0, MAX_PRICE_CENTS).optional().meta({ description: 'At least this price.' }),
    maxPriceCents: integerParameter(0, MAX_PRICE_CENTS).optional().meta({ description: 'At most this price.' }),
    inStock: booleanParameter.optional().meta({
      type: 'boolean',
      description: '`true`: only what can be ordered at this moment; `false`: only what is sold out.',
    }),
    sort: z
      .enum(SORTS)
      .optional()
      .meta({
        description:
          '`relevance` when `q` is given, and only then; else `newest`. `relevance` is names before descriptions, whole words before ' +
          'beginnings of words, and then the newest first. `name` is by code point.',
      }),
    ...pageQuery,
  })
  .refine((query) => !isBelow(query.minPriceCents, query.maxPriceCents), {
    path: ['maxPriceCents'],
    message: 'must not be below minPriceCents',
    when: ({ value }) => hasFields(value),
  })
  .refine((query) => query.sort !== 'relevance' || query.q !== undefined, {
    path: ['sort'],
    message: 'relevance needs q',
    when: ({ value }) => hasFields(value),
  })
export type ListQuery = z.output<typeof ListQuery>

export const AllProductsQuery = z.strictObject({
  sellerId: Id.optional().meta({ description: 'Products of this seller.' }),
  status: Status.optional().meta({ description: 'Products in this state only.' }),
  ...pageQuery,
})
export type AllProductsQuery = z.output<typeof AllProductsQuery>

export const PageQuery = z.strictObject(pageQuery)

export const OwnQuery = z.strictObject({
  lowStock: integerParameter(0, MAX_STOCK)
    .optional()
    .meta({ description: 'Only active products of which this many units or fewer are available.', example: 5 }),
  ...pageQuery,
})
export type OwnQuery = z.output<typeof OwnQuery>

export const Categories = z
  .object({
    items: z.array(
      z
        .object({ slug: z.string(), name: z.string(), productCount: z.int().min(1) })
        .meta({ id: 'Category', example: { slug: 'home-office', name: 'Home office', productCount: 2 } }),
    ),
    nextCursor: z.null(),
  })
  .meta({ id: 'Categories' })

/** Which way each reason moves the stock. */
const SIGNS = { RECEIVED: 1, DAMAGED: -1, CORRECTION: 0 } as const

/** Rules between fields run even where another field breaks its own rule, so that every violation is told. */
const hasFields = (value: unknown) => typeof value === 'object' && value !== null

export const StockChange = z
  .strictObject({
    delta: z
      .int()
      .min(-MAX_STOCK)
      .max(MAX_STOCK)
      .refine((delta) => delta !== 0, 'must not be 0')
      .meta({ description: 'Units that come (positive) or go (negative), never 0.', not: { const: 0 } }),
    reason: z.enum(SELLER_REASONS).meta({
      description: '`RECEIVED` needs a positive delta, `DAMAGED` a negative one, `CORRECTION` takes either.',
    }),
    note: Note.default(null),
  })
  .refine(({ delta, reason }) => !(delta * SIGNS[reason] < 0), {
    path: ['delta'],
    message: 'must be positive for RECEIVED and negative for DAMAGED',
    when: ({ value }) => hasFields(value),
  })
  .meta({ id: 'StockChange', example: { delta: 10, reason: 'RECEIVED', note: 'Delivery 4711' } })
export type StockChange = z.output<typeof StockChange>

export const StockMovement = z
  .object({
    id: Id,
    productId: Id,
    delta: z.int(),
    reason: z.enum([...SELLER_REASONS, 'ORDERED', 'CANCELLED']).meta({
      description: '`ORDERED` and `CANCELLED` are written by orders, the others by the seller.',
    }),
    note: z.string().nullable(),
    orderId: Id.nullable(),
    actorId: Id.nullable().meta({ description: '`null`: nobody did, an order was not paid in time.' }),
    createdAt: Timestamp,
  })
  .meta({
    id: 'StockMovement',
    example: {
      id: '01980000-0000-7000-8000-00000000d001',
      productId: EXAMPLE.productId,
      delta: 10,
      reason: 'RECEIVED',
      note: 'Delivery 4711',
      orderId: null,
      actorId: EXAMPLE.sellerId,
      createdAt: '2026-11-21T08:30:00.000Z',
    },
  })
export const StockMovementPage = pageOf(StockMovement).meta({ id: 'StockMovementPage' })

export const StockChanged = z
  .object({ available: z.int().min(0).meta({ description: 'Units after the change.' }), movement: StockMovement })
  .meta({ id: 'StockChanged' })
