-- What becomes of an order after it was placed: its payment, its shipments, its history. Placing writes none of it, so the columns
-- have constant defaults and the tables no row for an order that nobody has paid.

alter table orders.orders
  add column payment_status text not null default 'UNPAID',
  add constraint orders_payment_check check (
    case status
      when 'PLACED' then payment_status in ('UNPAID', 'PENDING', 'FAILED')
      when 'CANCELLED' then payment_status in ('UNPAID', 'PENDING', 'FAILED', 'REFUND_PENDING', 'REFUNDED')
      else payment_status = 'PAID'
    end
  );
-- For the sweep of orders that were not paid in time.
create index orders_placed_idx on orders.orders (created_at) where status = 'PLACED';

-- Each try to charge an order; its id names it to the gateway. Of the card nothing is kept that could be charged.
create table orders.payments (
  id uuid primary key,
  order_id uuid not null references orders.orders (id),
  attempt integer not null check (attempt > 0),
  amount_cents bigint not null check (amount_cents >= 0),
  currency text not null check (length(currency) = 3),
  card_brand text not null,
  card_last4 text not null check (card_last4 ~ '^[0-9]{4}$'),
  status text not null check (status in ('PENDING', 'SUCCEEDED', 'DECLINED', 'NOT_CHARGED')),
  requested_at timestamptz(3) not null,
  settled_at timestamptz(3),
  refund_requested_at timestamptz(3),
  refunded_at timestamptz(3),
  -- The key that waits for an answer, so that whoever settles the charge can keep one.
  caller_id uuid,
  route text,
  key text,
  constraint payments_settled_check check ((settled_at is null) = (status = 'PENDING')),
  constraint payments_refund_check check (
    (refund_requested_at is null or status = 'SUCCEEDED') and (refunded_at is null or refund_requested_at is not null)
  ),
  constraint payments_key_check check (num_nulls(caller_id, route, key) in (0, 3))
);
create unique index payments_order_key on orders.payments (order_id, attempt);
-- One charge under way, and one charge that succeeded, is all that an order can have.
create unique index payments_pending_key on orders.payments (order_id) where status = 'PENDING';
create unique index payments_succeeded_key on orders.payments (order_id) where status = 'SUCCEEDED';
-- For the sweeps of charges and refunds whose end is not known yet.
create index payments_pending_idx on orders.payments (requested_at) where status = 'PENDING';
create index payments_refund_idx on orders.payments (refund_requested_at)
  where refund_requested_at is not null and refunded_at is null;

-- What one seller sends of an order, from the moment of its payment on.
create table orders.shipments (
  order_id uuid not null references orders.orders (id),
  seller_id uuid not null,
  status text not null check (status in ('PENDING', 'PACKED', 'OUT_FOR_DELIVERY', 'DELIVERED')),
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  primary key (order_id, seller_id)
);
-- A seller's sales of a day: by its UTC date, so that a page of the summary reads its own days only.
create index shipments_day_idx on orders.shipments (seller_id, ((created_at at time zone 'UTC')::date));

-- What the order (no seller) and its shipments have reached, and when. It only grows; that the order was placed is not in it.
create table orders.order_events (
  order_id uuid not null references orders.orders (id),
  no integer not null check (no > 0),
  at timestamptz(3) not null,
  seller_id uuid,
  status text not null,
  primary key (order_id, no)
);

-- A seller's orders, newest first.
create index order_lines_seller_idx on orders.order_lines (seller_id, order_id desc);

-- A key whose effect takes more than one transaction has no answer until the last of them.
alter table orders.idempotency_keys
  alter column status drop not null,
  alter column body drop not null,
  add constraint idempotency_keys_answer_check check ((status is null) = (body is null));

grant select, insert, update on orders.payments, orders.shipments to shop_orders;
grant select, insert on orders.order_events to shop_orders;
