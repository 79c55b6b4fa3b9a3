import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { Command } from 'commander'
import { beforeEach, expect, it } from 'vitest'
import { outputOf, outputOptions } from '../../../src/cli/query/result-output.js'
import { Project } from '../../support/project.js'
import { withService } from '../../support/services.js'

let project: Project
beforeEach(async () => {
  project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
export const sales = silver('sales', {
  from: bronze('sales', { from: files('sales.csv') }),
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), day: t.date(), note: z.string() }),
  key: 'id',
})
export default defineLake({ name: 'shop', datasets: [sales] })
`,
    'sales.csv': 'id,amount,day,note\n1,10.50,2025-01-15,"a, ""b"""\n2,-0.01,1969-12-31,ä\n',
  })
  await project.run()
})

const file = (name: string) => join(project.folder, name)

async function rowsIn(path: string): Promise<unknown[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  return (await connection.runAndReadAll(`from '${path}' order by id`)).getRowsJson()
}

it('a result is written to a file, in the format that its name ends with', async () => {
  const sql = 'select id, amount, day, note from silver.sales order by id'
  const kept = [
    [1, '10.50', '2025-01-15', 'a, "b"'],
    [2, '-0.01', '1969-12-31', 'ä'],
  ]
  const { code, stdout } = await project.cli('query', '--out', file('sales.parquet'), sql)
  expect([code, stdout]).toEqual([0, ''])
  expect(await rowsIn(file('sales.parquet'))).toEqual(kept)
  await project.cli('query', '--out', file('sales.csv.out'), '--format', 'csv', sql)
  expect(await readFile(file('sales.csv.out'), 'utf8')).toBe(
    'id,amount,day,note\n1,10.50,2025-01-15,"a, ""b"""\n2,-0.01,1969-12-31,ä\n',
  )
  await project.cli('query', '--out', file('sales.json'), sql)
  expect(JSON.parse(await readFile(file('sales.json'), 'utf8'))).toHaveLength(2)
  const lines =
    '{"id":1,"amount":"10.50","note":"a, \\"b\\""}\n{"id":2,"amount":"-0.01","note":"ä"}\n'
  const some = 'select id, amount, note from silver.sales order by id'
  for (const name of ['sales.jsonl', 'sales.ndjson']) {
    await project.cli('query', '--out', file(name), some)
    expect(await readFile(file(name), 'utf8')).toBe(lines)
  }
  expect((await project.cli('query', '--format', 'jsonl', some)).stdout).toBe(lines)
})

it('JSON has bytes in Base64, and numbers that are none as texts, which NULL is not', async () => {
  const sql = `select '\\x00ff'::blob as b, 'nan'::double as n, ['-infinity'::float] as i, null as x, 1.5::double as d`
  const { stdout } = await project.cli('query', '--json', sql)
  expect(JSON.parse(stdout)).toEqual([{ b: 'AGZm', n: 'NaN', i: ['-Infinity'], x: null, d: 1.5 }])
})

it('whole numbers are numbers in JSON up to 2^53, and texts beyond', async () => {
  const sql =
    'select 7::bigint as n, 9007199254740991 as most, 9007199254740992 as more, [1::hugeint] as list'
  const expected = [{ n: 7, most: 9007199254740991, more: '9007199254740992', list: [1] }]
  expect(JSON.parse((await project.cli('query', '--json', sql)).stdout)).toEqual(expected)
  const { stdout } = await project.cli('query', '--format', 'jsonl', sql)
  expect(JSON.parse(stdout)).toEqual(expected[0])
})

it('a query is explained without being run: what it reads, and its steps', async () => {
  const sql = "select note, count(*) as n from silver.sales where day > '2020-01-01' group by 1"
  const { code, stdout, stderr } = await project.cli('query', '--explain', sql)
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^silver\.sales: 1 of 1 file/)
  expect(stdout).toMatch(/aggregate count\(\*\) by note/)
  expect(stdout).toMatch(/└ .*read silver\.sales\(.*\) where day>/)
  // Where files lie on this machine is told nobody.
  expect(stdout).not.toContain(project.folder)
  expect(stdout).not.toContain('parquet')
  const said = await project.cli('query', `-- why so slow?\nEXPLAIN ${sql}`)
  expect(said.stdout).toBe(stdout)
  const { reads, plan } = JSON.parse(
    (await project.cli('query', '--json', '--explain', sql)).stdout,
  )
  expect(reads).toMatchObject([{ name: 'silver.sales', files: 1, total: 1 }])
  expect(JSON.stringify(plan)).toContain('"step":"aggregate"')
  // It is proved as any query is.
  const refused = await project.cli('query', "explain select * from read_csv('/etc/passwd')")
  expect([refused.code, refused.stdout]).toEqual([2, ''])
  expect(refused.stderr).toContain('/etc/passwd')
  const run = await project.cli('query', `explain analyze ${sql}`)
  expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('would run the query')])
  const out = await project.cli('query', '--explain', '--out', file('x.csv'), sql)
  expect(out.stderr).toContain('rows of a result')
})

it('a query that fails leaves the file of before, and nothing beside it', async () => {
  await writeFile(file('result.parquet'), 'before')
  const late = 'select cast(note as int) as n from silver.sales'
  // The first half of the rows has been written by then.
  const later = `select repeat('y', 50) || range as text, cast(case when range = 90000 then 'bad' else range::varchar end as int) as n from range(100000)`
  for (const sql of [late, later, 'select no_such from silver.sales']) {
    const { code } = await project.cli('query', '--out', file('result.parquet'), sql)
    expect(code).toBe(2)
  }
  expect(await readFile(file('result.parquet'), 'utf8')).toBe('before')
  expect((await readdir(project.folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

it('what cannot be written there is said before anything is asked', async () => {
  const sql = 'select no_such from silver.sales'
  const refused = async (...args: string[]) => {
    const { code, stdout, stderr } = await project.cli('query', ...args, sql)
    expect(code).toBe(2)
    return stdout + stderr
  }
  expect(await refused('--out', file('result'))).toContain('does not tell in which format')
  expect(await refused('--out', file('x.csv'), '--format', 'table')).toContain('in which format')
  expect(await refused('--format', 'arrow', '--json')).toContain('contradict each other')
  expect(await refused('--out', file('x.csv'), '--explain-cost')).toContain('rows of a result')
  const [a, b] = [file('a.sql'), file('b.sql')]
  for (const path of [a, b]) await writeFile(path, 'from silver.sales')
  const two = await project.cli('query', '--format', 'parquet', '--file', a, b)
  expect([two.code, two.stderr]).toEqual([2, expect.stringContaining('exactly one query')])
  const folder = await project.cli('query', '--out', project.folder, '--format', 'csv', 'select 1')
  expect(folder.stderr).toContain('it is not a file')
})

it('a terminal is not sent bytes', () => {
  const asked = (...args: string[]) => {
    const command = outputOptions(new Command()).allowExcessArguments()
    return command.parse(args, { from: 'user' })
  }
  const terminal = { json: false, queries: 1, isTerminal: true }
  expect(() => outputOf(asked('--format', 'parquet'), terminal)).toThrow(
    expect.objectContaining({
      kind: 'usage',
      hint: expect.stringContaining('--out result.parquet'),
    }),
  )
  using output = outputOf(asked('--format', 'parquet', '--out', 'result'), terminal)
  expect(output.format).toBe('parquet')
})

const { MORAINE_PYTHON } = process.env
withService('PyArrow', [MORAINE_PYTHON], () => {
  it('reads Arrow from a pipe and from a file', async () => {
    const sql = 'select id, amount, day from silver.sales order by id'
    await project.cli('query', '--out', file('sales.arrows'), sql)
    const bytes = await project.cli('query', '--format', 'arrow', sql)
    expect(bytes.code).toBe(0)
    const { stdout } = await promisify(execFile)(MORAINE_PYTHON as string, [
      '-c',
      `import pyarrow.ipc as ipc, sys
t = ipc.open_stream(open(sys.argv[1], 'rb')).read_all()
t.validate(full=True)
print(t.num_rows, [str(f.type) for f in t.schema])`,
      file('sales.arrows'),
    ])
    expect(stdout.trim()).toBe("2 ['int32', 'decimal128(9, 2)', 'date32[day]']")
  })
})
