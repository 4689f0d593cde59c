-- The catalogue, the stock, and the ledger of everything that ever changed the stock.

-- What the full-text parser would make one token of ("Node.js", "home-office", "3.5mm", "<b>"), or part of a word or not as the
-- database's locale goes ("Lamp—brass"), becomes a space: then words are letters and digits, and each can be found by its
-- prefix. Code points rather than classes, which depend on the locale.
create function products.plain_words(value text) returns text
  language sql immutable strict parallel safe
  return regexp_replace(value,
    -- ASCII, Latin-1; Arabic, Devanagari
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7'
    '\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965'
    -- general punctuation, currencies, arrows to dingbats; CJK and full-width punctuation; emoji, tags
    '\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u2e00-\u2e7f'
    '\u3000-\u3004\u3008-\u3020\u3030\u30fb\ufe00-\ufe6f\ufeff-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffff'
    '\U0001f000-\U0001faff\U000e0000-\U000e007f]+',
    ' ', 'g');

-- The query that finds every word of `words` as a prefix; null, which finds nothing, when there is none.
create function products.prefix_query(words text) returns tsquery
  language sql immutable strict parallel safe
  return to_tsquery('simple', (
    select string_agg('''' || lexeme || ''':*', ' & ')
      from unnest(to_tsvector('simple', products.plain_words(words)))
  ));

create table products.products (
  id uuid primary key,
  -- A user of the users service; no foreign key crosses schemas.
  seller_id uuid not null,
  name text not null,
  description text not null default '',
  price_cents integer not null check (price_cents between 0 and 100000000),
  category text,
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'DISABLED')),
  -- Counts edits of this row; stock changes, which live in another table, leave it alone.
  version integer not null default 1,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  -- 'simple' neither stems nor drops words, so every word can be found by its prefix in any language.
  search tsvector generated always as (
    setweight(to_tsvector('simple', products.plain_words(name)), 'A') ||
    setweight(to_tsvector('simple', products.plain_words(description)), 'B')
  ) stored
);
create index products_search_idx on products.products using gin (search);

-- One index for each order of the public list (all keyset, ties broken by id); only active products are in it.
create index products_newest_idx on products.products (id desc) where status = 'ACTIVE';
create index products_price_idx on products.products (price_cents, id) where status = 'ACTIVE';
-- By code point, so that a cursor means the same on every machine: `order by name collate "C", id`.
create index products_name_idx on products.products (name collate "C", id) where status = 'ACTIVE';
create index products_category_idx on products.products (category, id desc) where status = 'ACTIVE';
-- A seller's own list shows disabled products too.
create index products_seller_idx on products.products (seller_id, id desc);

-- Apart from the product's text, so that a hot counter never rewrites it. Updates of `available` stay on their page
-- (HOT) while the page has room and no index covers the column: hence the fill factor, and hence no further index.
create table products.inventory (
  product_id uuid primary key references products.products (id),
  available integer not null constraint inventory_available_check check (available >= 0)
) with (
  fillfactor = 50,
  -- A few rows updated thousands of times a second: clean up by count, not by a share of the table, and without pauses.
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 10000
);

-- Append-only: no service may update or delete a row. The sum of a product's deltas is its `available`, always.
create table products.stock_movements (
  id uuid primary key,
  product_id uuid not null references products.products (id),
  delta integer not null check (delta <> 0),
  reason text not null check (reason in ('RECEIVED', 'CORRECTION', 'DAMAGED', 'ORDERED', 'CANCELLED')),
  note text,
  -- An order of the orders service, which writes these two reasons itself; no foreign key crosses schemas.
  order_id uuid,
  actor_id uuid not null,
  created_at timestamptz(3) not null default current_timestamp,
  constraint stock_movements_order_check check ((order_id is not null) = (reason in ('ORDERED', 'CANCELLED')))
);
create index stock_movements_product_idx on products.stock_movements (product_id, id desc);
-- One order takes and gives back a product's stock at most once.
create unique index stock_movements_order_key on products.stock_movements (order_id, product_id, reason)
  where order_id is not null;

-- The answer that a key got, byte for byte. Committed together with the effect that it describes.
create table products.idempotency_keys (
  caller_id uuid not null,
  route text not null,
  key text not null,
  fingerprint text not null,
  status smallint not null,
  location text,
  etag text,
  body text not null,
  created_at timestamptz(3) not null default current_timestamp,
  primary key (caller_id, route, key)
);
-- For the sweep of old keys.
create index idempotency_keys_created_at_idx on products.idempotency_keys (created_at);

-- The service has rights on data only. Stock can be changed, never removed; the ledger can only grow.
revoke execute on function products.plain_words, products.prefix_query from public;
grant usage on schema products to shop_products;
grant execute on function products.plain_words, products.prefix_query to shop_products;
grant select, insert, update, delete on products.products, products.idempotency_keys to shop_products;
grant select, insert, update (available) on products.inventory to shop_products;
grant select, insert on products.stock_movements to shop_products;
grant select on products._prisma_migrations to shop_products;

-- Taking stock and writing the order is one transaction of the orders service: it reads what an order line needs, changes
-- the counter, and adds to the ledger (without reading it back, so no `returning` and no `on conflict`). Nothing else.
grant usage on schema products to shop_orders;
grant select (id, seller_id, name, price_cents, status) on products.products to shop_orders;
grant select (product_id, available), update (available) on products.inventory to shop_orders;
grant insert on products.stock_movements to shop_orders;
