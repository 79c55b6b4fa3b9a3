import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makeFiles } from '../../examples/tickit/generate/files.js'
import { moraine, Project, repository } from '../support/project.js'
import { withService } from '../support/services.js'
import { kinds } from './targets.js'

const tickit = join(repository, 'examples/tickit/lake.ts')

/** The three questions of TICKIT, in SQL that all of the warehouses understand. */
const questions = {
  'Which sellers sold the most tickets?': (sales: string) => `
    select sellerid, seller, sum(qtysold) as tickets, count(*) as sales, sum(pricepaid) as revenue
    from ${sales} group by sellerid, seller order by tickets desc, sellerid limit 100`,
  'Which region saw the most sales in the year?': (sales: string) => `
    select year, region, count(*) as sales, sum(qtysold) as tickets, sum(pricepaid) as revenue
    from ${sales} group by year, region order by sales desc, region`,
  'Which region brought in the most commission?': (sales: string) => `
    select year, region, sum(commission) as commission
    from ${sales} group by year, region order by commission desc, region`,
}

describe.each(kinds)('TICKIT in $name', (kind) => {
  withService(kind.name, kind.needs, () => {
    it('answers its three questions from the warehouse as the lake does', async () => {
      const server = await kind.start()
      onTestFinished(() => server.stop())
      const project = await Project.create({
        'lake.ts': `
import { defineLake, warehouse } from 'moraine'
import { ${kind.builder} } from '${kind.from}'
import tickit from ${JSON.stringify(tickit)}

const [sales, ...gold] = ['consolidated_sales', 'top_sellers', 'sales_by_region', 'commission_by_region']
  .map((name) => tickit.datasets.find((dataset) => dataset.name === name))
export default defineLake({
  name: 'tickit',
  datasets: tickit.datasets,
  exports: [warehouse(${kind.target(server)}, { tables: [sales, ...gold] })],
})`,
      })
      const data = join(project.folder, 'data')
      await mkdir(data)
      for (const { name, text } of makeFiles()) await writeFile(join(data, name), text)
      const env = { TICKIT_DATA: data }
      const ran = await moraine(['-C', project.folder, 'run'], env)
      expect(ran.stdout, ran.stderr).toContain('consolidated_sales  172,456 rows (first export)')
      expect(ran.code).toBe(0)
      const client = await kind.connect(server.url)
      onTestFinished(() => client.end())
      const text = (row: object) => JSON.stringify(Object.values(row).map(String))
      for (const [question, sql] of Object.entries(questions)) {
        const ours = await project.query(sql('gold.consolidated_sales'))
        const theirs = await client.query(sql('consolidated_sales'))
        expect(ours.length, question).toBeGreaterThan(3)
        expect(theirs.map(text), question).toEqual(ours.map(text))
      }
      const top = 'select rank, sellerid, tickets, revenue from'
      const quoted = kind.builder === 'mysql' ? top.replace('rank', '`rank`') : top
      expect((await client.query(`${quoted} top_sellers order by 1, 2`)).map(text)).toEqual(
        (await project.query(`${top} gold.top_sellers order by 1, 2`)).map(text),
      )
    })
  })
})
