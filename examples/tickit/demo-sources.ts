import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { openLake } from 'moraine'
import { generate } from './generate/main.js'
import lake from './lake.js'
import { type Company, companies } from './sources/companies.js'
import { seed } from './sources/seed.js'

/*
 * The same lake out of three databases: starts those that are found (or uses those whose URLs are
 * given), fills them with the rows of the files, reads them, and holds every row of silver and gold
 * against those of the files.
 */

const here = import.meta.dirname
const data = process.env.TICKIT_DATA ?? join(here, 'data')
const roots = {
  files: join(process.env.TICKIT_LAKES ?? here, 'lake'),
  databases: join(process.env.TICKIT_LAKES ?? here, 'lake-databases'),
}
const number = (n: number) => n.toLocaleString('en-US')

/** Runs the command line, as a person would. */
async function moraine(
  root: string,
  urls: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<string> {
  const bin = join(
    createRequire(import.meta.url).resolve('moraine/package.json'),
    '../bin/moraine.js',
  )
  const env = { ...process.env, ...urls, MORAINE_ROOT: root }
  const child = spawn(process.execPath, [bin, '-C', here, ...args], { env })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += bytes
    })
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`moraine ${args.join(' ')} failed:\n${output}`)
  return output
}

/** What each row of a table holds, as a checksum, without the time at which it was loaded. */
async function checksums(root: string, name: string): Promise<unknown[]> {
  const opened = await openLake(lake, { root })
  const own = name.startsWith('silver.') ? ' EXCLUDE (_loaded_at, _batch)' : ''
  const rows = await opened.query(
    `SELECT md5(CAST(to_json(r) AS VARCHAR)) AS sum FROM (SELECT *${own} FROM ${name}) AS r ORDER BY sum`,
  )
  return rows.map(({ sum }) => sum)
}

async function compare(name: string): Promise<number> {
  const [files, databases] = await Promise.all([
    checksums(roots.files, name),
    checksums(roots.databases, name),
  ])
  const differ = files.filter((sum, i) => sum !== databases[i]).length
  if (differ > 0 || files.length !== databases.length)
    throw new Error(
      `${name} has ${number(databases.length)} rows from the databases and ${number(files.length)} from the files; ${number(differ)} differ`,
    )
  return files.length
}

async function play(open: readonly Company[]): Promise<void> {
  console.log('Three companies')
  const urls: Record<string, string> = {}
  for (const { what, variable, tables, url, missing, target } of open) {
    if (url === undefined || target === undefined) {
      console.log(`  ${what.padEnd(10)}  ${missing}; its files are read instead`)
      continue
    }
    urls[variable] = url
    for (const { table, rows, refused } of await seed(target, tables, data))
      console.log(
        `  ${what.padEnd(10)}  ${table.padEnd(14)} ${number(rows).padStart(8)} rows${refused > 0 ? `, ${refused} that it does not take` : ''}`,
      )
  }
  const none = { TICKIT_POSTGRES_URL: '', TICKIT_MYSQL_URL: '', TICKIT_SQLSERVER_URL: '' }
  await moraine(roots.files, none, 'run')
  console.log(
    `\n$ moraine run\n\n${(await moraine(roots.databases, { ...none, ...urls }, 'run')).trimEnd()}\n`,
  )

  console.log('Every row is the same as from the files')
  const { tables } = await (await openLake(lake, { root: roots.databases })).state()
  for (const name of Object.keys(tables).sort())
    if (/^(silver|gold)\./.test(name))
      console.log(`  ${name.padEnd(28)} ${number(await compare(name)).padStart(8)} rows`)

  const shop = open.find(({ variable }) => variable === 'TICKIT_MYSQL_URL')
  if (shop?.target) {
    console.log('\nA ticket is sold: of sales and listings only the new row is read')
    await shop.target.run(
      `INSERT INTO tickit.sales
         SELECT newest + 1, listid, sellerid, buyerid, eventid, dateid, qtysold, pricepaid, commission, saletime
         FROM tickit.sales, (SELECT max(salesid) AS newest FROM tickit.sales) AS others WHERE salesid = 1`,
    )
    const again = await moraine(roots.databases, { ...none, ...urls }, 'run')
    console.log(`\n$ moraine run\n\n${again}`)
  }
}

// The databases are filled anew, so their lake begins anew.
await rm(roots.databases, { recursive: true, force: true })
if (!process.env.TICKIT_DATA && !existsSync(join(data, 'dirt.json'))) await generate(data)
const open = await companies()
let stopped: Promise<unknown> | undefined
const stop = () => {
  stopped ??= Promise.all(open.map((company) => company.stop()))
  return stopped
}
// Ctrl-C leaves no server behind.
process.on('SIGINT', () => void stop().finally(() => process.exit(130)))
try {
  await play(open)
} catch (error) {
  console.error(`\n${(error as Error).message}`)
  process.exitCode = 1
} finally {
  await stop()
}
