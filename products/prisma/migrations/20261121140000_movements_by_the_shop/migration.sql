-- An order that was not paid in time gives its stock back without anybody asking for it.
alter table products.stock_movements
  alter column actor_id drop not null,
  add constraint stock_movements_actor_check check (actor_id is not null or reason = 'CANCELLED');
