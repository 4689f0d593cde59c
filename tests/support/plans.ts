import type pg from 'pg'

/** The plans of the statements that `read` would run on a pool, which runs none of them: it finds no rows. */
export async function plansOf(pool: pg.Pool, read: (pool: pg.Pool) => Promise<unknown>): Promise<string[]> {
  const plans: string[] = []
  const explain = async (statement: string, values: unknown[]) => {
    const { rows } = await pool.query<Record<string, string>>(statement, values)
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
    return { rows: [] }
  }
  const explaining = {
    query: (statement: string | pg.QueryConfig, values: unknown[]) =>
      typeof statement === 'string'
        ? explain(`explain ${statement}`, values)
        : explain(`explain (generic_plan) ${statement.text}`, []), // prepared: for any values
  }
  await read(explaining as unknown as pg.Pool)
  return plans
}
