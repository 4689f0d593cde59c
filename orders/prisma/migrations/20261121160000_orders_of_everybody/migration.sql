-- An admin's list of everybody's orders in one state. What is only placed is left out, so that placing has no more to write:
-- those are the newest, or in orders_placed_idx.
create index orders_status_idx on orders.orders (status, id desc) where status <> 'PLACED';
