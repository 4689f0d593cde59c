import type pg from 'pg'
import { inTransaction } from '@shop/platform/postgres'
import { ok } from '@shop/platform/result'
import { addEntry } from './directories'
import { addProduct } from './editing'
import { DEMO_NAMES } from './receiving-schemas'
import { EXAMPLE } from './schemas'

type DemoProduct = {
  name: string
  description: string
  priceCents: number
  stock: number
  category: string
  imageUrls: string[]
}

// A domain of nobody's (RFC 2606).
const pictureOf = (name: string) => `https://images.example.com/${name}.jpg`

const DEMO_PRODUCTS: readonly DemoProduct[] = [
  {
    name: 'Pour-over coffee dripper',
    description: 'Ceramic dripper for one to four cups, with a wooden collar. Takes standard cone filters.',
    priceCents: 2400,
    stock: 120,
    category: 'kitchen',
    imageUrls: [pictureOf('coffee-dripper'), pictureOf('coffee-dripper-in-use')],
  },
  {
    name: 'Chef’s knife, 20 cm',
    description: 'Forged from one piece of high-carbon steel, with a walnut handle. Hand wash only.',
    priceCents: 8900,
    stock: 35,
    category: 'kitchen',
    imageUrls: [pictureOf('chefs-knife')],
  },
  {
    name: 'Enamel stockpot, 6 litres',
    description: 'For soup, pasta and preserves on every kind of stove, induction included.',
    priceCents: 5450,
    stock: 18,
    category: 'kitchen',
    imageUrls: [pictureOf('stockpot')],
  },
  {
    name: 'Brass desk lamp',
    description: 'Adjustable arm, warm LED bulb included, switch at the foot.',
    priceCents: 7900,
    stock: 42,
    category: 'home-office',
    imageUrls: [pictureOf('desk-lamp')],
  },
  {
    name: 'USB-C hub, 7 in 1',
    description: 'HDMI at 4K and 60 Hz, Ethernet, three USB ports, card reader and 100 W pass-through charging.',
    priceCents: 4599,
    stock: 200,
    category: 'home-office',
    imageUrls: [pictureOf('usb-hub')],
  },
  {
    name: 'Dotted notebook, A5',
    description: '192 numbered pages of 100 g/m² paper that takes fountain pens, with two ribbons.',
    priceCents: 1650,
    stock: 500,
    category: 'home-office',
    imageUrls: [pictureOf('notebook')],
  },
  {
    name: 'Trail backpack, 28 litres',
    description: 'Ventilated back, rain cover and a pocket for a bladder. 980 g.',
    priceCents: 11900,
    stock: 27,
    category: 'outdoor',
    imageUrls: [pictureOf('backpack')],
  },
  {
    name: 'Titanium camping mug',
    description: '450 ml, 85 g, folding handles; goes onto the fire.',
    priceCents: 3200,
    stock: 64,
    category: 'outdoor',
    imageUrls: [pictureOf('camping-mug')],
  },
  {
    name: 'Rechargeable head torch',
    description: '400 lumens with a red light for the tent. Lasts six hours at full power, charges by USB-C.',
    priceCents: 3995,
    stock: 80,
    category: 'outdoor',
    imageUrls: [pictureOf('head-torch')],
  },
  {
    name: 'Linen bed set',
    description: 'A duvet cover and two pillowcases of stone-washed French flax, for a double bed.',
    priceCents: 14900,
    stock: 12,
    category: 'bedroom',
    imageUrls: [pictureOf('bed-set')],
  },
  {
    name: 'Wooden train set',
    description: '44 pieces of beech: tracks, a bridge, a magnetic train and its station. From three years.',
    priceCents: 5900,
    stock: 30,
    category: 'toys',
    imageUrls: [pictureOf('train-set')],
  },
  {
    name: 'Limited print “Harbour at dawn”',
    description: 'Giclée print on cotton paper, 40 × 50 cm, numbered and signed. The last one of its edition.',
    priceCents: 18000,
    stock: 1,
    category: 'art',
    imageUrls: [pictureOf('harbour-at-dawn')],
  },
]

/** Adds whatever of the demo data is missing; what is there stays as people have left it. */
export async function loadDemoData(pool: pg.Pool): Promise<void> {
  await inTransaction(pool, async (tx) => {
    for (const [index, product] of DEMO_PRODUCTS.entries()) {
      const id = EXAMPLE.productId.slice(0, -3) + String(index + 1).padStart(3, '0')
      await addProduct(tx, { ...product, id, sellerId: EXAMPLE.sellerId })
    }
    for (const kind of ['warehouse', 'supplier'] as const)
      await addEntry(tx, kind, { id: EXAMPLE[`${kind}Id`], sellerId: EXAMPLE.sellerId, name: DEMO_NAMES[kind] })
    return ok(undefined)
  })
}
