import type pg from 'pg'

/**
 * The books of a whole database: what was received is either still there or in an order that lives, and the ledger says the
 * same. Answers the products for which that does not hold.
 */
export async function unbalancedProducts(owner: pg.Pool): Promise<unknown[]> {
  const { rows } = await owner.query<Record<string, unknown>>(
    `select i.product_id, i.available, ledger.total as ledger, ledger.received, coalesce(live.units, 0) as live
       from products.inventory i
       join lateral (select coalesce(sum(delta), 0)::int as total,
                            coalesce(sum(delta) filter (where order_id is null), 0)::int as received
                       from products.stock_movements m where m.product_id = i.product_id) ledger on true
       left join (select l.product_id, sum(l.quantity)::int as units
                    from orders.order_lines l join orders.orders o on o.id = l.order_id
                   where o.status <> 'CANCELLED' group by l.product_id) live on live.product_id = i.product_id
      where i.available <> ledger.total or ledger.received - i.available <> coalesce(live.units, 0)`,
  )
  return rows
}
