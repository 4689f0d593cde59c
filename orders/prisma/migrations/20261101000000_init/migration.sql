-- Orders, their lines, and the answers remembered for idempotency keys.

create table orders.orders (
  id uuid primary key,
  -- A user of the users service; no foreign key crosses schemas.
  buyer_id uuid not null,
  status text not null check (status in ('PLACED', 'PAID', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'CANCELLED')),
  -- 100 lines of 1000 units at 100,000,000 cents pass the range of an integer.
  total_cents bigint not null check (total_cents >= 0),
  currency text not null check (length(currency) = 3),
  shipping_address text,
  notes text,
  version integer not null default 1,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp
);
create index orders_buyer_idx on orders.orders (buyer_id, id desc);
create index orders_buyer_status_idx on orders.orders (buyer_id, status, id desc);

-- Name, price and seller as they were when the order was placed: later edits of the product change no order.
create table orders.order_lines (
  order_id uuid not null references orders.orders (id),
  line_no smallint not null,
  product_id uuid not null,
  seller_id uuid not null,
  name text not null,
  quantity integer not null check (quantity between 1 and 1000),
  unit_price_cents integer not null check (unit_price_cents >= 0),
  -- Lines of one product are summed before the order is placed.
  primary key (order_id, product_id)
);

-- The answer that a key got, byte for byte. Committed together with the effect that it describes.
create table orders.idempotency_keys (
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
create index idempotency_keys_created_at_idx on orders.idempotency_keys (created_at);

-- The service has rights on data only, so that it cannot change the rules above.
grant usage on schema orders to shop_orders;
grant select, insert, update, delete on orders.orders, orders.order_lines, orders.idempotency_keys to shop_orders;
grant select on orders._prisma_migrations to shop_orders;
