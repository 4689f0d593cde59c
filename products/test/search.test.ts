import { aSeller, openShop, type Body, type Query, type Shop, type Someone } from './shop'

let shop: Shop
beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.close())

const list = (query: Query) => shop.list(query)
const names = async (query: Query) => (await list(query)).items.map((item) => item['name'] as string)

/** Offers products in this order, so that the last one is the newest. */
async function offer(seller: Someone, ...products: (string | Body)[]): Promise<void> {
  for (const each of products) await shop.create(seller, typeof each === 'string' ? { name: each } : each)
}

describe('a misspelt word', () => {
  const seller = aSeller()
  beforeAll(() =>
    offer(
      seller,
      { name: 'Pour-over coffee dripper', description: 'Ceramic, with a wooden collar.' },
      'Brass desk lamp',
      'Stockpot',
      'Wooden chair',
      { name: 'Tea towel', description: 'Embroidered by professionals.' },
      'Кофейник медный',
      'Model 4711',
    ),
  )
  const find = (q: string) => names({ q, sellerId: seller.id })

  test.each<[string, string]>([
    ['cofee driper', 'Pour-over coffee dripper'],
    ['cofee', 'Pour-over coffee dripper'],
    ['COFEE', 'Pour-over coffee dripper'],
    ['coffeee', 'Pour-over coffee dripper'],
    ['koffee', 'Pour-over coffee dripper'],
    ['coffee driper', 'Pour-over coffee dripper'],
    ['driper pour-over', 'Pour-over coffee dripper'],
    ['dirpper', 'Pour-over coffee dripper'],
    ['lmap', 'Brass desk lamp'],
    ['lanp', 'Brass desk lamp'],
    ['desl lampp', 'Brass desk lamp'],
    ['ceramik', 'Pour-over coffee dripper'],
    ['wooden chiar', 'Wooden chair'],
    ['stokpot', 'Stockpot'],
    ['proffesionals', 'Tea towel'],
    ['кофейнек', 'Кофейник медный'],
  ])('%s finds %s', async (q, expected) => {
    expect(await find(q)).toEqual([expected])
    expect(await names({ q, sellerId: seller.id, sort: 'price' })).toEqual([expected])
  })

  test.each<[string, string]>([
    ['a word like no other', 'typewriter'],
    ['too many letters amiss', 'coffin'],
    ['two letters amiss', 'chqqr'],
    ['a word of three letters', 'lmp'],
    ['a number', '4712'],
    ['a word with a number in it', 'lamp5'],
    ['one of the words', 'cofee typewriter'],
  ])('%s is not mended', async (_why, q) => {
    expect(await find(q)).toEqual([])
  })

  test('what is spelt right is not mended into something else, also where filters leave nothing', async () => {
    const other = aSeller()
    await offer(other, 'Brass damp proofing', 'Brass lamps')
    expect(await names({ q: 'brass lamp', sellerId: other.id })).toEqual(['Brass lamps'])
    expect(await names({ q: 'stockpot', sellerId: other.id })).toEqual([])
    expect(await names({ q: 'damp', sellerId: seller.id })).toEqual([])
  })

  test('of several words only the misspelt ones are mended', async () => {
    const other = aSeller()
    await offer(other, 'Ramekin zinnober', 'Lamekin zinnober')
    expect(await names({ q: 'ramekin zinober', sellerId: other.id })).toEqual(['Ramekin zinnober'])
  })

  test('a word is known when the product is there, and no more when it has gone', async () => {
    const other = aSeller()
    expect(await names({ q: 'quokkka', sellerId: other.id })).toEqual([])
    const { id } = await shop.create(other, { name: 'Quokka' })
    expect(await names({ q: 'quokkka', sellerId: other.id })).toEqual(['Quokka'])
    await shop.patch(other, id, '*', { name: 'Wombat' }).expect(200)
    expect(await names({ q: 'quokkka', sellerId: other.id })).toEqual([])
    expect(await names({ q: 'wombbat', sellerId: other.id })).toEqual(['Wombat'])
    await shop.patch(other, id, '*', { status: 'DISABLED' }).expect(200)
    expect(await names({ q: 'wombbat', sellerId: other.id })).toEqual([])
  })

  test('two who bring the same new words at once both succeed', async () => {
    const sellers = Array.from({ length: 8 }, aSeller)
    const words = Array.from({ length: 50 }, (_, n) => `nova${String.fromCharCode(97 + (n % 26), 97 + (n >> 4))}`)
    const texts = sellers.map((_, n) => (n % 2 ? words : words.toReversed()).join(' '))
    await Promise.all(sellers.map((each, n) => shop.create(each, { name: 'Novelty', description: texts[n] ?? '' })))
    expect((await list({ q: 'novelty' })).items).toHaveLength(8)
  })

  test('its pages are of one search, though products come that are spelt like it', async () => {
    const other = aSeller()
    const given = Array.from({ length: 7 }, (_, n) => `Bassinet ${n}`)
    await offer(other, ...given)
    for (const sort of [undefined, 'name', 'newest']) {
      const query = { q: 'basinet', sellerId: other.id, limit: 3, sort }
      const first = await list(query)
      const { id } = await shop.create(other, { name: 'Basinet' })
      const seen = [...first.items]
      for (let cursor = first.nextCursor; cursor !== null;) {
        const next = await list({ ...query, cursor })
        seen.push(...next.items)
        cursor = next.nextCursor
      }
      const found = seen.map((item) => item['name']).filter((name) => name !== 'Basinet')
      expect(found).toEqual(sort === 'name' ? given : given.toReversed())
      expect(await names({ q: 'basinet', sellerId: other.id })).toEqual(['Basinet'])
      await shop.patch(other, id, '*', { name: 'Gone' }).expect(200)
    }
  })
})

test('names come before descriptions, whole words before their beginnings, and the newest first', async () => {
  const seller = aSeller()
  await offer(
    seller,
    { name: 'Cup', description: 'For a pen.' },
    { name: 'Pen' },
    { name: 'Pencil' },
    { name: 'Mug', description: 'Pendant light.' },
    { name: 'The fine pen', description: 'pen pen pen' },
    { name: 'Pennant' },
  )
  const found = await names({ q: 'pen', sellerId: seller.id })
  expect(found).toEqual(['The fine pen', 'Pen', 'Pennant', 'Pencil', 'Mug', 'Cup'])
})

test('of several words, all in the name come before some, and some before none', async () => {
  const seller = aSeller()
  await offer(
    seller,
    { name: 'Oak table', description: 'Round.' },
    { name: 'Round oaken tables' },
    { name: 'Round table of oak' },
    { name: 'Tablecloth', description: 'For an oak table that is round.' },
    { name: 'Placemat', description: 'For a round oak table.' },
    { name: 'Round table', description: 'Beech.' },
  )
  const found = await names({ q: 'oak round table', sellerId: seller.id })
  expect(found).toEqual(['Round table of oak', 'Round oaken tables', 'Tablecloth', 'Oak table', 'Placemat'])
})
