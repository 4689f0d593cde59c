import { z } from 'zod'
import { Port, loadConfig, serviceConfig } from '@shop/platform/config'
import { makeLog } from '@shop/platform/logging'
import { runService } from '@shop/platform/server'
import { gatewayApp } from './app'
import { Entry, openBooks } from './books'
import { openJournal } from './journal'

async function main(): Promise<void> {
  const config = loadConfig(
    { ...serviceConfig, PORT: Port.default(8005), GATEWAY_JOURNAL: z.string().min(1) },
    process.env,
  )
  const log = makeLog('gateway', config.LOG_LEVEL)
  const { journal, entries } = await openJournal({
    file: config.GATEWAY_JOURNAL,
    parse: (line) => Entry.parse(line),
    onFailure: (error) => {
      log.fatal({ err: error }, 'the journal can not be written')
      process.exit(1) // before anybody is told of what may not be on the disk
    },
  })
  const now = () => new Date()
  const books = openBooks(journal, entries, now)
  const app = gatewayApp({ books, now, log, withFaults: config.NODE_ENV !== 'production' })
  await runService({ app, config, log, stop: () => journal.close() })
}

void main()
