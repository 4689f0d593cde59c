-- What buyers have put aside. Whoever changes a cart, or places it, locks its row first; reading needs no lock.

create table orders.carts (
  -- A user of the users service; no foreign key crosses schemas. The row stays when the cart is emptied.
  buyer_id uuid primary key,
  updated_at timestamptz(3) not null default current_timestamp
);

create table orders.cart_items (
  buyer_id uuid not null references orders.carts (buyer_id),
  -- A product of the products service.
  product_id uuid not null,
  quantity integer not null check (quantity between 1 and 1000),
  -- What a unit cost when the buyer set the line: tells whether the price has changed since. It sets no order's price.
  seen_price_cents integer not null check (seen_price_cents >= 0),
  -- To the microsecond, because lines are shown in this order.
  added_at timestamptz not null default current_timestamp,
  primary key (buyer_id, product_id)
);

grant select, insert, update on orders.carts to shop_orders;
grant select, insert, update, delete on orders.cart_items to shop_orders;
