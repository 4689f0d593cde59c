import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import { makeLog } from '../src/logging'
import { untilDone } from '../src/periodic'
import { runService } from '../src/server'

// A service in a process of its own, to be signalled by a test: node -r ../../scripts/test/typescript.cjs served.ts <port> <stop>
// It says when a request for /held is there, and answers it when told to; the task that runs meanwhile says when it is to end.
const [port, stop] = process.argv.slice(2)
const log = makeLog('served', 'info')
const app = express()
let held: (() => void)[] = []

app.get('/held', (_request, response) => {
  held.push(() => response.send('held until now'))
  process.send?.('held')
})
app.get('/quick', (_request, response) => response.send('quick'))
app.get('/bug', () => void setImmediate(() => JSON.parse('{no json')))
app.get('/rejection', () => void Promise.reject(new Error('nobody waits for this')))

const task = untilDone({ everyMs: 1_000, log, name: 'held' }, async (stopping) => {
  if (!stopping.aborted) await once(stopping, 'abort')
  log.info('task ends')
})

process.on('message', () => {
  for (const answer of held) answer()
  held = []
})

void runService({
  app,
  config: { PORT: Number(port), HOST: '127.0.0.1' },
  log,
  tasks: [task],
  ...(stop === 'hangs' && { exitWithinMs: 1_000 }),
  stop: async () => {
    if (stop === 'fails') throw new Error('the pool would not end')
    if (stop === 'hangs') await sleep(60_000)
    log.info('stopped')
  },
})
