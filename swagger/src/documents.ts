import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

/** What Swagger UI's picker offers, in its order: a document's name, its path here and its committed file. */
export const PICKER = [
  { name: 'Everything', url: '/openapi.json', file: 'openapi.json' },
  { name: 'Users', url: '/openapi/users.json', file: 'users.openapi.json' },
  { name: 'Products', url: '/openapi/products.json', file: 'products.openapi.json' },
  { name: 'Orders', url: '/openapi/orders.json', file: 'orders.openapi.json' },
] as const

const Meaning = z.object({ status: z.int(), title: z.string(), description: z.string() })
export type Meaning = z.infer<typeof Meaning>
const WithProblems = z.object({ 'x-problems': z.record(z.string(), Meaning) })

export type Documents = {
  /** Texts of the documents by their path. */
  texts: ReadonlyMap<string, string>
  /** What every problem code means, by code. */
  problems: ReadonlyMap<string, Meaning>
}

/** Reads the committed documents; `folder` is the workspace's own. */
export function readDocuments(folder: string): Documents {
  const read = (file: string) => readFileSync(path.join(folder, file), 'utf8')
  const texts = new Map(PICKER.map(({ url, file }) => [url as string, read(file)]))
  const everything = WithProblems.parse(JSON.parse(read(PICKER[0].file)))
  return { texts, problems: new Map(Object.entries(everything['x-problems'])) }
}
