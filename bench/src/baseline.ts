import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runTool } from '../../scripts/src/terminal'
import { needTool, type Wanted } from '../../scripts/src/tools'
import { BUYERS, ID_PREFIX, firstProductOf, lastProductOf, type Mode } from './seed'

/** Debian keeps each major version of Postgres in a package and a folder of its own. */
async function wanted(): Promise<Wanted> {
  const policy = await runTool('apt-cache', ['policy', 'postgresql']).catch(() => '')
  const version = /Candidate: (\d+)/.exec(policy)?.[1] ?? '15'
  const folder = '/usr/lib/postgresql'
  return {
    title: 'pgbench',
    variable: 'PGBENCH_BIN',
    names: ['pgbench'],
    places: versionsIn(folder).map((each) => `${folder}/${each}/bin/pgbench`),
    debian: `postgresql-${version}`,
    unpacked: `usr/lib/postgresql/${version}/bin/pgbench`,
    brew: ['postgresql@18'],
    installable: false, // the package would at once make and start a server
  }
}

function versionsIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort((a, b) => Number(b) - Number(a))
  } catch {
    return []
  }
}

export const findPgbench = async (): Promise<string> => needTool(await wanted(), process.env)

export const FORMS = ['one statement', 'one transaction'] as const
export type Form = (typeof FORMS)[number]

export type Baseline = { mode: Mode; form: Form; keyed?: boolean; clients: number; seconds: number }

/** Places orders without any shop: the same writes, one order a transaction, as fast as pgbench can ask for them. */
export async function runBaseline(
  pgbench: string,
  folder: string,
  ownerUrl: string,
  { mode, form, keyed = false, clients, seconds }: Baseline,
): Promise<{ perSecond: number; meanMs: number }> {
  const file = join(folder, 'baseline.sql')
  writeFileSync(file, script(mode, form, keyed))
  const { hostname, port, username, password, pathname } = new URL(ownerUrl)
  const flags = [
    '-n',
    '-M',
    'prepared',
    '-c',
    String(clients),
    '-j',
    String(Math.min(clients, 2)),
    '-T',
    String(seconds),
  ]
  // Ids of the other form, unlike any of an earlier run.
  const variables = ['-D', `run=${Date.now() % 1e8}`, '-D', 'n=0']
  const env = {
    ...process.env,
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: password,
    PGDATABASE: pathname.slice(1),
  }
  try {
    return parsePgbench(await runTool(pgbench, [...flags, ...variables, '-f', file], { env }))
  } finally {
    rmSync(file)
  }
}

export function parsePgbench(output: string): { perSecond: number; meanMs: number } {
  const tps = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(output)?.[1]
  const latency = /^latency average = ([\d.]+) ms/m.exec(output)?.[1]
  const failed = /^number of failed transactions: (\d+)/m.exec(output)?.[1] ?? '0'
  if (tps === undefined || latency === undefined || failed !== '0' || /aborted/.test(output))
    throw new Error(`pgbench did not do what it was to do:\n${output}`)
  return { perSecond: Number(tps), meanMs: Number(latency) }
}

const productId = `('${ID_PREFIX.product}' || :p::text)::uuid`
const buyerId = `('${ID_PREFIX.buyer}' || :b::text)::uuid`
// As long as what the service keeps.
const keyRow = (order: string, buyer: string) =>
  `insert into orders.idempotency_keys (caller_id, route, key, fingerprint, status, location, body)
     select ${buyer}, 'POST /orders', ${order}::text, repeat('f', 43), 201, '/orders/' || ${order}, repeat('b', 560)`

function script(mode: Mode, form: Form, keyed: boolean): string {
  const draw = `\\set p random(${firstProductOf(mode)}, ${lastProductOf(mode)})\n\\set b random(${BUYERS.first}, ${BUYERS.last})\n`
  return draw + (form === 'one statement' ? statement(keyed) : transaction(keyed))
}

const statement = (keyed: boolean): string => `with taken as (
  update products.inventory i set available = i.available - 1
    from products.products p
   where i.product_id = ${productId} and i.available >= 1 and p.id = i.product_id and p.status = 'ACTIVE'
  returning i.product_id, p.seller_id, p.name, p.price_cents
), placed as (
  insert into orders.orders (id, buyer_id, status, total_cents, currency, version, created_at, updated_at)
  select uuidv7(), ${buyerId}, 'PLACED', price_cents, 'USD', 1, now(), now() from taken
  returning id, buyer_id
), ledger as (
  insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id, created_at)
  select uuidv7(), product_id, -1, 'ORDERED', placed.id, placed.buyer_id, now() from taken, placed
)${keyed ? `, kept as (${keyRow('placed.id', 'placed.buyer_id')} from placed)` : ''}
insert into orders.order_lines (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents)
select placed.id, 0, product_id, seller_id, name, 1, price_cents from taken, placed;
`

const orderId = `(lpad(:run::text, 8, '0') || '-0000-7000-8' || lpad(:client_id::text, 3, '0') || '-' || lpad(:n::text, 12, '0'))::uuid`

const transaction = (keyed: boolean): string => `\\set n :n + 1
begin;
update products.inventory set available = available - 1 where product_id = ${productId} and available >= 1;
insert into orders.orders (id, buyer_id, status, total_cents, currency, version, created_at, updated_at)
select ${orderId}, ${buyerId}, 'PLACED', price_cents, 'USD', 1, now(), now() from products.products where id = ${productId};
insert into orders.order_lines (order_id, line_no, product_id, seller_id, name, quantity, unit_price_cents)
select ${orderId}, 0, id, seller_id, name, 1, price_cents from products.products where id = ${productId};
insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id, created_at)
values (uuidv7(), ${productId}, -1, 'ORDERED', ${orderId}, ${buyerId}, now());
${keyed ? `${keyRow(orderId, buyerId)};\n` : ''}commit;
`
