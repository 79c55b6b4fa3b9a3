import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Project } from '../test/support/project.js'
import { Served } from '../test/support/served.js'
import { benchFolder } from './tickit.js'

/** What shows that a benchmark may do all. */
export const TOKEN = 'token-of-a-benchmark'

const DEFINITION = `import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('in/*.csv') })
const sales = silver('sales', { from: raw, key: 'id', schema: z.object({
  id: z.int(), shop: z.string(), day: t.date(), amount: t.decimal(10, 2) }) })
export default defineLake({ name: 'bench', datasets: [raw, sales] })
`

/** A lake of one table, `silver.sales`, which has run. */
export async function salesLake(rows: number): Promise<Project> {
  const folder = await benchFolder()
  await mkdir(join(folder, 'in'), { recursive: true })
  await writeFile(join(folder, 'lake.ts'), DEFINITION)
  await writeFile(join(folder, 'in/sales.csv'), salesCsv(rows))
  const project = Project.at(folder)
  await project.run()
  return project
}

/** `moraine serve --query` as a process of its own, once it listens. */
export async function serveSales(project: Project) {
  const served = Served.start(project, ['--query'], { MORAINE_TOKEN: TOKEN }, () => {})
  const { url } = await served.line(({ event }) => event === 'query')
  const stop = async () => {
    served.child.kill('SIGTERM')
    await once(served.child, 'exit')
  }
  return { url: String(url), child: served.child, stop }
}

function salesCsv(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const day = new Date(Date.UTC(2024, 0, 1 + (i % 365))).toISOString().slice(0, 10)
    return `${i},shop ${i % 50},${day},${(i % 10_000) / 100}`
  })
  return `id,shop,day,amount\n${lines.join('\n')}\n`
}
