-- An admin disables products, too: `status` is what counts, here and for orders.

alter table products.products
  -- While an admin has it disabled: the status that its seller gave it, which it returns to. Null otherwise.
  add column seller_status text check (seller_status in ('ACTIVE', 'DISABLED')),
  add constraint products_disabled_by_admin_check check (seller_status is null or status = 'DISABLED');

-- An admin's lists of what is disabled, which is little; the others have their indexes.
create index products_disabled_idx on products.products (id desc) where status = 'DISABLED';
create index products_seller_disabled_idx on products.products (seller_id, id desc) where status = 'DISABLED';
