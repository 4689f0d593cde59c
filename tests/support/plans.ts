import type pg from 'pg'

/** The plans of the statements that `read` would run on a pool, which runs none of them: it finds no rows. */
export async function plansOf(owner: pg.Pool, read: (pool: pg.Pool) => Promise<unknown>): Promise<string[]> {
  const plans: string[] = []
  const explaining = {
    query: async (text: string, values: unknown[]) => {
      const { rows } = await owner.query<Record<string, string>>(`explain ${text}`, values)
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      return { rows: [] }
    },
  }
  await read(explaining as unknown as pg.Pool)
  return plans
}
