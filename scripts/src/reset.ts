import { rmSync } from 'node:fs'
import { Client } from 'pg'
import { removeCluster } from './postgres-home'
import { claimRun } from './run-record'
import { gatewayJournal, read } from './services'
import { dataDirFrom, openDataDir, runRecordOf } from './stack'
import { UserError, type Terminal } from './terminal'

const CONFIRMATION = '--drop-schemas'

/** `npm run reset`: the next start begins with empty data. Refuses while the shop runs; secrets and keys stay. */
export async function main(terminal: Terminal, args: string[]): Promise<number> {
  const dataDir = dataDirFrom(process.env)
  openDataDir(dataDir)
  const claim = await claimRun(runRecordOf(dataDir), 'being reset', 10_000)
  try {
    const given = read(process.env, 'DATABASE_URL')
    if (given === undefined) removeCluster(dataDir)
    else await dropSchemas(given, args.includes(CONFIRMATION))
    rmSync(gatewayJournal(dataDir), { force: true })
  } finally {
    claim.release()
  }
  terminal.say('The data is empty. The next npm start begins anew.')
  return 0
}

async function dropSchemas(ownerUrl: string, confirmed: boolean): Promise<void> {
  const { host, pathname } = new URL(ownerUrl)
  if (!confirmed) {
    throw new UserError(
      `DATABASE_URL is set: this would drop the schemas users, products and orders of ${host}${pathname}, with all that is in them.\n` +
        `If that is what you want: npm run reset -- ${CONFIRMATION}`,
    )
  }
  const client = new Client({ connectionString: ownerUrl, connectionTimeoutMillis: 5_000 })
  await client.connect()
  try {
    await client.query('drop schema if exists users, products, orders cascade')
  } finally {
    await client.end()
  }
}
