import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Landing } from '../../../src/bronze/ingest/landing.js'
import { openLake } from '../../../src/query/open.js'
import { sample } from '../../support/effort.js'
import { Project } from '../../support/project.js'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, inbox, ingest } from 'moraine/sources'
import { positive } from './rules of {ours} #1%/positive.ts'

const schema = z.object({ id: t.int(), amount: t.decimal(9, 2).refine(positive), at: t.timestamp() })
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv*') }), key: 'id', cursor: 'at', schema,
})
const lists = silver('lists', {
  from: bronze('lists', { from: files(['more [2026]/**/*.jsonl', import.meta.dirname + '/more [2026]/top*.json']) }),
  key: 'id', schema: z.object({ id: t.int() }),
})
const dropped = silver('dropped', {
  from: bronze('dropped', { from: inbox({ path: 'drop [x]', settle: '1ms' }), archive: true }), key: 'id', cursor: 'at', schema,
})
const sent = silver('sent', {
  from: bronze('sent', { from: ingest() }), key: 'id', schema: z.object({ id: t.int() }),
})
const total = gold('total', { query: sql\`select sum(amount) as amount from \${sales}\` })
export default defineLake({ name: 'odd', root: 'the lake {1}', datasets: [sales, lists, dropped, sent, total] })
`

const rules = `export const positive = (text: string) => Number(text) >= 0\n`
const csv = (...ids: number[]) =>
  `id,amount,at\n${ids.map((id) => `${id},${id}.50,2026-01-01 00:00:0${id % 10}\n`).join('')}`

const names = [
  `we [i]rd {a,b} *?#%20 'q" ünïcödé 日本`,
  'env=prod/(a) !+@ ~ $HOME; & -x [!b] * %41%2F%zz?x=1',
]

describe.runIf(process.platform !== 'win32')(
  'a project, and its lake, in a folder that is called',
  () => {
    it.each(sample(names, 1))('%j works as in any other', async (name) => {
      const project = await Project.create(
        {
          'lake.ts': definition,
          'rules of {ours} #1%/positive.ts': rules,
          'in/a.csv': csv(1, 2),
          'in/b [1] {x}.csv': csv(3),
          'in/c#%41?.csv.gz': gzipSync(csv(4)),
          'more [2026]/x=1/l.jsonl': '{"id":1}\n',
          'more [2026]/top.json': '[{"id":2}]',
          'drop [x]/d [1]*.csv': csv(1),
          'drop [x]/e.csv': csv(2, -7),
          // What a pattern made of the project's own name would find.
          '../i/in/never.csv': csv(99),
        },
        undefined,
        name,
      )
      const root = join(project.folder, 'the lake {1}')
      const cli = async (...args: string[]) => {
        const { code, stdout, stderr } = await project.cli(...args)
        expect([args, code, stderr, code === 0 || stdout]).toEqual([args, 0, '', true])
        return stdout
      }
      const rows = async (sql: string, at = root) =>
        JSON.parse(await cli('--root', at, 'query', sql, '--json'))
      const lake = await openLake(await project.load())
      expect(lake).toBeDefined()
      const landing = new Landing(project.storageAt(root), 'sent')
      await landing.write([{ key: 'k', rows: ['{"id":1}'] }])
      await cli('run')
      const all = `select 'sales' as t, count(*) as n from silver.sales union all select 'lists', count(*) from silver.lists
      union all select 'dropped', count(*) from silver.dropped union all select 'sent', count(*) from silver.sent order by t`
      const counts = (dropped: number, sales: number) => [
        { t: 'dropped', n: dropped },
        { t: 'lists', n: 2 },
        { t: 'sales', n: sales },
        { t: 'sent', n: 1 },
      ]
      expect(await rows(all)).toEqual(counts(2, 4))
      expect(await rows('select amount from gold.total')).toEqual([{ amount: '12.00' }])
      await project.write({ 'in/e.csv': csv(5), 'drop [x]/f.csv': csv(3) })
      await cli('run')
      expect(await rows(all)).toEqual(counts(3, 5))
      await cli('status')
      expect(await cli('plan')).toContain('nothing')
      expect(await cli('discarded', 'dropped')).toContain('-7')
      await cli('optimize')
      await cli('rebuild', 'dropped', '--from', 'archive')
      await cli('discard-batch', 'sales', '2')
      await cli('run')
      await cli('vacuum', '--grace', '0s', '--delete')
      await cli('verify', '--deep')
      const copy = join(project.folder, 'copy [of] *#?%41 it')
      await cli('copy', copy)
      await cli('--root', copy, 'verify', '--deep')
      for (const at of [root, copy]) expect(await rows(all, at)).toEqual(counts(3, 4))
      await project.write({ 'in/g.csv': csv(6) })
      await cli('--root', copy, 'run')
      expect(await rows(all, copy)).toEqual(counts(3, 5))
      const [data] = (await readdir(join(root, 'bronze/sales'), { recursive: true })).filter(
        (file) => file.endsWith('.parquet'),
      )
      await rm(join(root, 'bronze/sales', data as string))
      await cli('repair', '--yes')
      expect(await rows(all)).toEqual(counts(3, 4))
    })
  },
)
