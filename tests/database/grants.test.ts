import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type TestDatabase, createDatabase } from '../support/database'

// Each service's role has the rights that it needs and not one more: asked of Postgres for every table, and then tried.

type Role = 'users' | 'products' | 'orders'
const ROLES: readonly Role[] = ['users', 'products', 'orders']

const CRUD = 'delete insert select update'
const RIGHTS: Record<Role, Record<string, string>> = {
  users: {
    'users.users': CRUD,
    'users.refresh_tokens': CRUD,
    'users.login_failures': CRUD,
    'users._prisma_migrations': 'select',
  },
  products: {
    'products.products': CRUD,
    'products.idempotency_keys': CRUD,
    'products.inventory': 'insert select update(available)',
    'products.stock_movements': 'insert select',
    'products.receipts': 'insert select',
    'products.suppliers': 'insert select update(name,status,updated_at,version)',
    'products.warehouses': 'insert select update(name,status,updated_at,version)',
    'products.spellings': 'insert select',
    'products._prisma_migrations': 'select',
  },
  orders: {
    'orders.orders': CRUD,
    'orders.order_lines': CRUD,
    'orders.carts': 'insert select update',
    'orders.cart_items': CRUD,
    'orders.idempotency_keys': CRUD,
    'orders.payments': 'insert select update',
    'orders.shipments': 'insert select update',
    'orders.order_events': 'insert select',
    'orders._prisma_migrations': 'select',
    'products.products': 'select(id,name,price_cents,seller_id,status)',
    'products.inventory': 'select(available,product_id) update(available)',
    'products.stock_movements': 'insert',
  },
}

let database: TestDatabase
let as: Record<Role, pg.Pool>

beforeAll(async () => {
  database = await createDatabase()
  const poolOf = (role: Role) => new pg.Pool({ connectionString: database.urls[role], max: 1 })
  as = { users: poolOf('users'), products: poolOf('products'), orders: poolOf('orders') }
})
afterAll(async () => {
  await Promise.all(ROLES.map((role) => as[role].end()))
  await database.drop()
})

test.each(ROLES)('shop_%s has exactly the rights on tables and columns that are listed here', async (role) => {
  const { rows } = await database.owner.query<{ name: string; rights: string }>(
    `with rights as (
       select c.oid::regclass::text as name, p.privilege, has_table_privilege($1, c.oid, p.privilege) as whole,
         (select string_agg(a.attname, ',' order by a.attname) from pg_attribute a
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             and p.privilege not in ('delete', 'truncate', 'trigger')
             and has_column_privilege($1, c.oid, a.attnum, p.privilege)) as columns
       from pg_class c
       cross join (values ('select'), ('insert'), ('update'), ('delete'), ('truncate'), ('references'), ('trigger')) as p (privilege)
       where c.relkind in ('r', 'p', 'v', 'm', 'S') and c.relnamespace::regnamespace::text in ('users', 'products', 'orders', 'public')
     )
     select name, string_agg(case when whole then privilege else format('%s(%s)', privilege, columns) end, ' ' order by privilege) as rights
     from rights where whole or columns is not null group by name`,
    [`shop_${role}`],
  )
  expect(Object.fromEntries(rows.map(({ name, rights }) => [name, rights]))).toEqual(RIGHTS[role])
})

test('a role may look into its own schema, orders also into products, and nobody may make anything', async () => {
  const { rows } = await database.owner.query<{ role: string; usable: string[]; creatable: string[] | null }>(
    `select r.rolname as role,
       array_agg(n.nspname::text order by n.nspname) filter (where has_schema_privilege(r.rolname, n.oid, 'usage')) as usable,
       array_agg(n.nspname::text) filter (where has_schema_privilege(r.rolname, n.oid, 'create')) as creatable
     from pg_roles r, pg_namespace n
     where r.rolname in ('shop_users', 'shop_products', 'shop_orders') and n.nspname in ('users', 'products', 'orders', 'public')
     group by 1 order by 1`,
  )
  expect(rows).toEqual([
    { role: 'shop_orders', usable: ['orders', 'products', 'public'], creatable: null },
    { role: 'shop_products', usable: ['products', 'public'], creatable: null },
    { role: 'shop_users', usable: ['public', 'users'], creatable: null },
  ])
})

test('a function may be called by the role of its schema only', async () => {
  const { rows } = await database.owner.query(
    `select p.oid::regprocedure::text as function, r.rolname as role
     from pg_proc p, pg_roles r
     where p.pronamespace::regnamespace::text in ('users', 'products', 'orders')
       and r.rolname in ('shop_users', 'shop_products', 'shop_orders')
       and has_function_privilege(r.oid, p.oid, 'execute') and r.rolname <> 'shop_' || p.pronamespace::regnamespace::text`,
  )
  expect(rows).toEqual([])
})

test('the roles can log in, and have no power over the cluster or over each other', async () => {
  const { rows } = await database.owner.query(
    `select count(*)::int as roles from pg_roles
     where rolname in ('shop_users', 'shop_products', 'shop_orders') and rolcanlogin
       and not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)
       and not exists (select from pg_auth_members where member = pg_roles.oid)`,
  )
  expect(rows).toEqual([{ roles: 3 }])
  for (const role of ROLES)
    expect((await as[role].query('select current_user::text as name')).rows).toEqual([{ name: `shop_${role}` }])
})

describe('tried', () => {
  const product = randomUUID()
  const refused = { code: '42501' }

  beforeAll(async () => {
    await as.products.query(
      `insert into products.products (id, seller_id, name, price_cents) values ($1, $1, 'cup', 100)`,
      [product],
    )
    await as.products.query('insert into products.inventory (product_id, available) values ($1, 5)', [product])
    await as.products.query(
      `insert into products.stock_movements (id, product_id, delta, reason, actor_id) values ($1, $2, 5, 'RECEIVED', $1)`,
      [randomUUID(), product],
    )
  })

  test('orders takes stock and writes the ledger', async () => {
    const { rows } = await as.orders.query(
      `update products.inventory i set available = available - 2 from products.products p
       where p.id = i.product_id and p.status = 'ACTIVE' and i.product_id = $1 and i.available >= 2
       returning i.available, p.name, p.price_cents, p.seller_id`,
      [product],
    )
    expect(rows).toEqual([{ available: 3, name: 'cup', price_cents: 100, seller_id: product }])
    const movement = await as.orders.query(
      `insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id) values ($1, $2, -2, 'ORDERED', $1, $1)`,
      [randomUUID(), product],
    )
    expect(movement.rowCount).toBe(1)
  })

  test('orders locks the stock rows that it will take from', async () => {
    const { rowCount } = await as.orders.query(
      'select product_id, available from products.inventory where product_id = $1 for update',
      [product],
    )
    expect(rowCount).toBe(1)
  })

  test.each<[Role, string]>([
    ['orders', `update products.products set price_cents = 1`],
    ['orders', `update products.products set status = 'DISABLED'`],
    ['orders', `select description from products.products`],
    ['orders', `delete from products.products`],
    ['orders', `insert into products.inventory values (gen_random_uuid(), 1)`],
    ['orders', `update products.inventory set product_id = gen_random_uuid()`],
    ['orders', `delete from products.inventory`],
    ['orders', `select delta from products.stock_movements`],
    ['orders', `update products.stock_movements set delta = 1`],
    ['orders', `delete from products.stock_movements`],
    ['orders', `truncate products.stock_movements`],
    ['orders', `select key from products.idempotency_keys`],
    ['orders', `select id from products.receipts`],
    ['orders', `select id from products.warehouses`],
    ['orders', `select id from users.users`],
    ['orders', `alter table orders.orders drop constraint orders_total_cents_check`],
    ['orders', `delete from orders.carts`],
    ['orders', `delete from orders.payments`],
    ['orders', `delete from orders.shipments`],
    ['orders', `update orders.order_events set at = now()`],
    ['orders', `delete from orders.order_events`],
    ['orders', `delete from orders._prisma_migrations`],
    ['products', `update products.stock_movements set delta = 1`],
    ['products', `delete from products.stock_movements`],
    ['products', `truncate products.stock_movements`],
    ['products', `delete from products.inventory`],
    ['products', `update products.receipts set quantity = 1`],
    ['products', `delete from products.receipts`],
    ['products', `delete from products.suppliers`],
    ['products', `update products.warehouses set seller_id = gen_random_uuid()`],
    ['products', `update products.inventory set product_id = gen_random_uuid()`],
    ['products', `alter table products.inventory drop constraint inventory_available_check`],
    ['products', `alter table products.inventory disable trigger all`],
    ['products', `create table products.mine (id int)`],
    ['products', `select id from orders.orders`],
    ['products', `select id from users.users`],
    ['users', `select id from products.products`],
    ['users', `select id from orders.orders`],
    ['users', `create table public.mine (id int)`],
    ['users', `drop table users.users`],
  ])('shop_%s may not: %s', async (role, statement) => {
    await expect(as[role].query(statement)).rejects.toMatchObject(refused)
  })

  test.each<[string, () => pg.Pool]>([
    ['shop_products', () => as.products],
    ['shop_orders', () => as.orders],
    ['the owner', () => database.owner],
  ])('%s cannot take more than there is', async (_name, pool) => {
    await expect(
      pool().query('update products.inventory set available = -1 where product_id = $1', [product]),
    ).rejects.toMatchObject({ code: '23514', constraint: 'inventory_available_check' })
  })

  test('an order takes, and gives back, the stock of a product at most once', async () => {
    const order = randomUUID()
    const move = (delta: number, reason: string) =>
      as.orders.query(
        `insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id) values ($1, $2, $3, $4, $5, $1)`,
        [randomUUID(), product, delta, reason, order],
      )
    await move(-1, 'ORDERED')
    await expect(move(-1, 'ORDERED')).rejects.toMatchObject({ code: '23505', constraint: 'stock_movements_order_key' })
    await move(1, 'CANCELLED')
    await expect(move(1, 'CANCELLED')).rejects.toMatchObject({ code: '23505', constraint: 'stock_movements_order_key' })
  })

  test.each<[string, string | null]>([
    ['ORDERED', null],
    ['CANCELLED', null],
    ['RECEIVED', randomUUID()],
  ])('a movement %s with order %s is refused', async (reason, order) => {
    await expect(
      as.products.query(
        `insert into products.stock_movements (id, product_id, delta, reason, order_id, actor_id) values ($1, $2, 1, $3, $4, $1)`,
        [randomUUID(), product, reason, order],
      ),
    ).rejects.toMatchObject({ code: '23514', constraint: 'stock_movements_order_check' })
  })

  test('usernames and e-mail addresses are unique whatever their case', async () => {
    const add = (username: string, email: string) =>
      as.users.query(
        `insert into users.users (id, username, email, password_hash, role) values ($1, $2, $3, 'x', 'BUYER')`,
        [randomUUID(), username, email],
      )
    await add('zoe', 'Zoe@example.org')
    await expect(add('zoe', 'other@example.org')).rejects.toMatchObject({ constraint: 'users_username_key' })
    await expect(add('Zoe', 'other@example.org')).rejects.toMatchObject({ constraint: 'users_username_check' })
    await expect(add('other', 'ZOE@EXAMPLE.org')).rejects.toMatchObject({ constraint: 'users_email_key' })
  })
})
