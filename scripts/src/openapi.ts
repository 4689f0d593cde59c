import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drift, FILES, writeDocuments } from './openapi-documents'
import { ROOT } from './terminal'

const COMMITTED = join(ROOT, 'swagger')

/** `npm run openapi` writes the documents under swagger/; `--check` fails when they are not what the built services declare. */
async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'shop-openapi-'))
  try {
    await writeDocuments(folder)
    if (!process.argv.includes('--check')) {
      for (const file of FILES) copyFileSync(join(folder, file), join(COMMITTED, file))
      return 0
    }
    const differences = await drift(COMMITTED, folder)
    if (differences.length > 0) console.error([...differences, 'Bring them up to date: npm run openapi'].join('\n\n'))
    return differences.length === 0 ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true })
  }
}

main().then(
  (code) => (process.exitCode = code),
  (error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  },
)
