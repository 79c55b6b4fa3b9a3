import { Lakehouse } from '../../../src/load/lakehouse.js'
import { type Files, Project } from '../../support/project.js'

/** What tests change of the lake's definition. */
interface Definition {
  /** Orders below that are no part of gold. */
  minimum?: number
  /** Rows that gold has at least. */
  least?: number
  /** A rule of silver. */
  rule?: string
  /** What gold selects beside. */
  more?: string
  /** What its runs publish. */
  publish?: string
}

export const csv = (rows: readonly (readonly (string | number)[])[]) =>
  `order_id,status,amount\n${rows.map((row) => row.join(',')).join('\n')}\n`

/** A lake of orders with a key, and what gold makes of them. */
export const lakeFile = ({
  minimum = 0,
  least,
  rule,
  more = '',
  publish,
}: Definition = {}): Files => ({
  'lake.ts': `
    import { bronze, check, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
    import { files } from 'moraine/sources'
    const raw = bronze('orders', { from: files('data/*.csv') })
    const orders = silver('orders', {
      from: raw,
      schema: z.object({ order_id: t.int(), status: z.string(), amount: t.decimal(12, 2) }),
      key: 'order_id',
      ${rule ? `rules: [rule('asked', sql\`${rule}\`)],` : ''}
    })
    const byStatus = gold('by_status', {
      query: sql\`select status, count(*) as n, sum(amount) as amount${more}
        from \${orders} where amount >= ${minimum} group by status\`,
      ${least === undefined ? '' : `checks: [check.rowCount({ min: ${least} })],`}
    })
    export default defineLake({ name: 'shop',${publish ? ` publish: '${publish}',` : ''} datasets: [raw, orders, byStatus] })
  `,
})

export const change = lakeFile

/** A project whose lake was built once. */
export async function shop(files: Files = {}): Promise<Project> {
  const project = await Project.create({
    ...lakeFile(),
    'data/1.csv': csv([
      [1, 'paid', '10.00'],
      [2, 'paid', '20.00'],
      [3, 'paid', '30.00'],
    ]),
    ...files,
  })
  await project.run()
  return project
}

export const onBranch = (project: Project, name: string) =>
  new Lakehouse(project.storage).onBranch(name)
