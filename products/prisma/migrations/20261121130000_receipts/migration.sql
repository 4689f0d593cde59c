-- Where stock comes from and goes to: a seller's warehouses and suppliers, and what was received.

create table products.warehouses (
  id uuid primary key,
  -- A user of the users service; no foreign key crosses schemas.
  seller_id uuid not null,
  name text not null,
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'DISABLED')),
  version integer not null default 1,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  -- A seller's own list goes by it, and a receipt refers to it: so none can name what is another seller's.
  constraint warehouses_seller_key unique (seller_id, id)
);
create unique index warehouses_name_key on products.warehouses (seller_id, lower(name));

create table products.suppliers (
  id uuid primary key,
  seller_id uuid not null,
  name text not null,
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'DISABLED')),
  version integer not null default 1,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  constraint suppliers_seller_key unique (seller_id, id)
);
create unique index suppliers_name_key on products.suppliers (seller_id, lower(name));

-- What the ledger doesn't say of a movement RECEIVED. Append-only, as the ledger.
create table products.receipts (
  id uuid primary key,
  product_id uuid not null references products.products (id),
  seller_id uuid not null,
  warehouse_id uuid not null,
  supplier_id uuid,
  quantity integer not null check (quantity > 0),
  batch_number text,
  manufactured_on date,
  expires_on date,
  unit_cost_cents integer check (unit_cost_cents between 0 and 100000000),
  movement_id uuid not null references products.stock_movements (id),
  created_at timestamptz(3) not null default current_timestamp,
  constraint receipts_movement_key unique (movement_id),
  constraint receipts_dates_check check (expires_on > manufactured_on),
  constraint receipts_warehouse_fkey foreign key (seller_id, warehouse_id) references products.warehouses (seller_id, id),
  constraint receipts_supplier_fkey foreign key (seller_id, supplier_id) references products.suppliers (seller_id, id)
);
create index receipts_product_idx on products.receipts (product_id, id desc);
create index receipts_warehouse_idx on products.receipts (warehouse_id, id desc);
create index receipts_supplier_idx on products.receipts (supplier_id, id desc);

-- The service has rights on data only, and none to take back what was received.
grant select, insert, update (name, status, version, updated_at) on products.warehouses, products.suppliers to shop_products;
grant select, insert on products.receipts to shop_products;
