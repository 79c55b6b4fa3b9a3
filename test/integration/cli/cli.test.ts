import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { command } from '../../support/commands.js'
import { moraine, Project, repository, temporaryFolder } from '../../support/project.js'

async function newLake(): Promise<string> {
  const folder = join(await temporaryFolder(), 'my-lake')
  const { code, stderr } = await command(['init', folder])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return folder
}

const json = ({ stdout }: { stdout: string }) => JSON.parse(stdout)

describe('questions in files', () => {
  it('are asked one after the other', async () => {
    const folder = await newLake()
    await command(['-C', folder, 'run'])
    const ask = (...args: string[]) => command(['-C', folder, 'query', ...args])
    const texts = ['select count(*) as n from silver.orders', 'select 2 as two', 'from gold.none']
    const files = texts.map((_, i) => join(folder, `${i + 1}.sql`)) as [string, string, string]
    await Promise.all(files.map((file, i) => writeFile(file, texts[i] as string)))
    const [first, second, third] = files

    expect(await ask('--file', first, second)).toMatchObject({
      stdout: `${first}\nn\n─\n5\n1 row\n\n${second}\ntwo\n───\n  2\n1 row\n`,
      code: 0,
    })
    expect((await ask('--format', 'csv', '--file', first, second)).stdout).toBe('n\n5\n\ntwo\n2\n')
    const broken = await ask('--file', first, third, second)
    expect(broken.code).toBe(2)
    expect(broken.stderr).toContain(`${third}: There is no table gold.none in this lake`)

    const bin = join(repository, 'bin/moraine.js')
    const piped = spawn(process.execPath, [bin, '-C', folder, '--json', 'query', '--file', '-'])
    piped.stdin.end('select 3 as three')
    expect(JSON.parse(await text(piped.stdout))).toEqual([{ three: 3 }])
  })
})

describe('a first hour', () => {
  it('from nothing to answers, in a folder without node_modules', async () => {
    const folder = await newLake()
    const run = await moraine(['-C', folder, 'run'])
    expect(run.stdout).toMatch(/silver\.orders +9 rows in = 5 kept \+ 3 discarded \+ 1 superseded/)
    expect(run.stdout).not.toContain('\x1b')
    expect(run).toMatchObject({ code: 0, stderr: '' })

    const again = await moraine(['-C', folder, 'run'])
    expect(again.stdout).toContain(
      'Nothing to do: no source has new data, and no definition has changed.',
    )

    const answer = await moraine([
      '-C',
      folder,
      'query',
      'select * from gold.daily_revenue order by day',
    ])
    expect(answer.stdout).toContain('2026-01-08       1   310.25')
    const csv = await moraine([
      '-C',
      folder,
      'query',
      '--format',
      'csv',
      'from gold.daily_revenue limit 1',
    ])
    expect(csv.stdout).toMatch(/^day,orders,revenue\n2026-01-\d\d,1,[\d.]+\n$/)

    const discarded = await moraine(['-C', folder, 'discarded', 'orders'])
    expect(discarded.stdout).toContain('data/orders.csv:6')
    expect((await moraine(['-C', folder, 'verify'])).stdout).toContain('in an unbroken chain')
    expect((await moraine(['-C', folder, 'history'])).stdout).toContain('build 2 tables')
    expect((await moraine(['-C', folder, 'plan'])).stdout).toContain('Nothing to do')
    expect((await moraine(['-C', folder, 'status'])).stdout).toContain('gold.daily_revenue')
    expect(
      (await moraine(['-C', folder, 'preview', 'data/orders.csv', '-n', '2'])).stdout,
    ).toContain('Grace')
    expect((await moraine(['-C', folder, 'preview', 'silver.orders'])).stdout).toContain(
      '_loaded_at',
    )
  })

  it('gives one JSON value for every command', async () => {
    const folder = await newLake()
    const run = json(await command(['-C', folder, '--json', 'run']))
    expect(run).toMatchObject({ outcome: 'done', commits: [1, 2] })
    const rows = json(
      await command([
        '-C',
        folder,
        'query',
        '--json',
        'select order_id, amount from silver.orders where order_id = 7',
      ]),
    )
    expect(rows).toEqual([{ order_id: 7, amount: '310.25' }])
    expect(json(await command(['-C', folder, '--json', 'plan'])).steps).toHaveLength(3)
    expect(json(await command(['-C', folder, '--json', 'status'])).datasets[1]).toMatchObject({
      dataset: 'silver.orders',
      rows: 5,
      in: 9,
      discarded: 3,
      superseded: 1,
      upToDate: true,
    })
    expect(json(await command(['-C', folder, '--json', 'history']))[0]).toMatchObject({ number: 2 })
    expect(json(await command(['-C', folder, '--json', 'verify']))).toMatchObject({
      problems: [],
      commits: 2,
    })
    expect(
      json(await command(['-C', folder, '--json', 'discarded', 'orders'])).reasons,
    ).toHaveLength(3)
    expect(
      json(
        await command(['-C', folder, '--json', 'preview', 'orders.csv', '-n', '1']).catch((e) => e),
      ),
    ).toHaveProperty('error')
    expect(json(await command(['-C', folder, '--json', 'query', 'drop table x']))).toMatchObject({
      error: { kind: 'query', message: 'Only SELECT statements can be run here' },
    })
  })

  it('runs what selectors choose', async () => {
    const folder = await newLake()
    const names = async (...args: string[]) =>
      json(await command(['-C', folder, '--json', 'plan', ...args])).steps.map(
        (s: { dataset: string }) => s.dataset,
      )
    expect(await names('silver')).toEqual(['silver.orders'])
    expect(await names('+silver.orders')).toEqual(['bronze.orders', 'silver.orders'])
    expect(await names('silver.orders+')).toEqual(['silver.orders', 'gold.daily_revenue'])
    const typo = await command(['-C', folder, 'run', 'gold.daily_revenues'])
    expect(typo).toMatchObject({ code: 2, stdout: '' })
    expect(typo.stderr).toContain("Did you mean 'gold.daily_revenue'?")
  })

  it('keeps the lake where it is told to', async () => {
    const folder = await newLake()
    const root = join(await temporaryFolder(), 'elsewhere')
    await command(['-C', folder, '--root', `file://${root}`, 'run'])
    expect(await readdir(root)).toContain('silver')
    const { stdout } = await command(['query', 'select count(*) as n from silver.orders'], {
      MORAINE_ROOT: root,
    })
    expect(stdout).toContain('5')
    expect((await command(['--root', 'gs://bucket', 'history'])).stderr).toContain(
      'A lake cannot be stored at gs:// yet',
    )
  })
})

describe('mistakes', () => {
  it('in the definition are shown together, each with a code frame', async () => {
    const project = await Project.create({
      'lake.ts': `import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('x.csv', { columns: ['id', 'amount'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), amuont: t.int() }),
  key: 'ident' as 'id',
})
export default defineLake({ name: 'Shop', datasets: [orders] })
`,
    })
    const { code, stderr, stdout } = await project.cli('plan')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.replaceAll(/\S*lake\.ts/g, 'lake.ts')).toMatchInlineSnapshot(`
      "✖ The definition has 3 mistakes

      silver.orders: column 'amuont' is not in bronze.orders
        lake.ts:6:35
        4 │ const orders = silver('orders', {
        5 │   from: raw,
      > 6 │   schema: z.object({ id: t.int(), amuont: t.int() }),
          │                                   ^^^^^^^
        7 │   key: 'ident' as 'id',
        8 │ })
      → Did you mean 'amount'? Rename it with select: { amuont: 'amount' }

      silver.orders: key 'ident' is not a column of the schema
        lake.ts:7:8
        5 │   from: raw,
        6 │   schema: z.object({ id: t.int(), amuont: t.int() }),
      > 7 │   key: 'ident' as 'id',
          │        ^^^^^^^
        8 │ })
        9 │ export default defineLake({ name: 'Shop', datasets: [orders] })
      → The columns are: id, amuont

      The lake's name 'Shop' may contain only lower-case letters, digits, '_' and '-'
        lake.ts:9:36
         7 │   key: 'ident' as 'id',
         8 │ })
      >  9 │ export default defineLake({ name: 'Shop', datasets: [orders] })
           │                                    ^^^^
        10 │ 
      "
    `)
  })

  it.each([
    ['a syntax error', 'export default {{', 'Expected identifier but found "{"'],
    [
      'a missing import',
      "import x from 'no-such-package'\nexport default x",
      "Can't find 'no-such-package'",
    ],
    ['a missing file', "import x from './other.js'\nexport default x", "Can't find './other.js'"],
    [
      'code that throws',
      'const a = undefined as any\nexport default a.b',
      "'.b' is read from something that is undefined",
    ],
    ['no lake', 'export const lake = 1', 'lake.ts has no default export'],
  ])('in TypeScript have a place and no stack: %s', async (_, text, message) => {
    const project = await Project.create({ 'lake.ts': text })
    const { code, stderr } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/lake\.ts:\d+:\d+/)
    expect(stderr).not.toMatch(/\n +at /)
  })

  it('in SQL are found by plan, all of them, before anything runs', async () => {
    const project = await Project.create({
      'lake.ts': `import { bronze, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('a', { from: files('a.txt', { columns: ['id', 'n'] }) })
const a = silver('a', {
  from: raw,
  select: { double: sql\`try_cast(nn as integer) * 2\` },
  schema: z.object({ id: t.int(), double: t.int() }),
  rules: [rule('small', sql\`doubble < 10\`)],
})
const good = gold('good', { query: sql\`select sum(double) as s from \${a}\` })
const bad = gold('bad', { query: sql\`
  select id,
    medain(double) as m
  from \${a} group by 1\` })
export default defineLake({ name: 'x', datasets: [good, bad] })`,
      'a.txt': '1,2\n',
    })
    const { code, stderr } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stderr).toContain('The definition has 3 mistakes')
    expect(stderr).toMatch(/"nn" not found[\s\S]*> +6 │/)
    expect(stderr).toMatch(/doubble[\s\S]*> +8 │/)
    expect(stderr).toMatch(/Unknown function medain[\s\S]*> 13 │ {5}medain/)
    expect((await project.state()).number).toBe(0)
  })

  it('in SQL have the line in the file', async () => {
    const project = await Project.create({
      'lake.ts': `import { defineLake, gold, sqlFile } from 'moraine'
export default defineLake({ name: 'x', datasets: [gold('a', { query: sqlFile(new URL('./a.sql', import.meta.url)) })] })`,
      'a.sql': '-- the answer\nselect 42 as answer,\n  nothing\nfrom (select 1)\n',
    })
    const { code, stdout } = await project.cli('run')
    expect(code).toBe(2)
    expect(stdout).toMatch(/> 3 │ {3}nothing/)
  })

  it.each([
    [['nonsense'], 'unknown command'],
    [['query'], 'No query is given'],
    [['query', 'select 1', '--file', 'a.sql'], 'as an argument or in files, not both'],
    [['query', '--root', '/tmp/none', '--file', 'none.sql'], "none.sql can't be read"],
    [['run', '--fulll'], "unknown option '--fulll'"],
    [['query', '-n', 'abc', 'select 1'], "--limit must be a whole number, 1 or more, not 'abc'"],
    [['query', '--limit', '-5', 'select 1'], "--limit must be a whole number, 1 or more, not '-5'"],
    [
      ['query', '--limit', '2.5', 'select 1'],
      "--limit must be a whole number, 1 or more, not '2.5'",
    ],
    [['history', '-n', '0'], "--limit must be a whole number, 1 or more, not '0'"],
    [
      ['discarded', 'orders', '-n', '1e3'],
      "--examples must be a whole number, 0 or more, not '1e3'",
    ],
    [['serve', '--port', '65536'], "--port must be a whole number, 0 to 65535, not '65536'"],
    [['optimize', '--target', ''], "--target must be a whole number, 1 to 1000000, not ''"],
    [['vacuum', '--grace', 'soon'], '--grace soon is not a duration'],
    [['-C', '/nowhere', 'run'], 'There is no lake.ts in /nowhere'],
    [
      ['query', '--at', 'yesterday', 'select 1', '--root', '/tmp/none'],
      '--at yesterday is neither a commit nor a time',
    ],
    [['query', '--format', 'xml', 'select 1', '--root', '/tmp/none'], "Unknown format 'xml'"],
    [
      ['query', '--root', '/tmp/none', 'from silver.x'],
      'There is no table silver.x in this lake yet',
    ],
    [['help', 'quer'], "Did you mean 'query'?"],
    [['nonsense', '--help'], "Unknown command 'nonsense'"],
  ])('in usage end with 2: %j', async (args, message) => {
    const { code, stderr } = await command(args)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  it('in the command line itself are JSON too, where that is asked for', async () => {
    for (const [args, message] of [
      [['nonsense'], /unknown command 'nonsense'/],
      [['run', '--fulll'], /unknown option '--fulll'/],
      [['help', 'nonsense'], /Unknown command 'nonsense'/],
      [[], /No command is given/],
    ] as const) {
      const { code, stdout, stderr } = await command([...args, '--json'])
      expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
      expect(JSON.parse(stdout)).toMatchObject({
        error: { kind: 'usage', message: expect.stringMatching(message) },
      })
    }
    const { version } = json(await command(['--json', '--version']))
    expect(version).toMatch(/^\d/)
    // Help is a text for people, and wins over whatever else stands there.
    for (const args of [['query', '--limit', 'many'], ['run', '--fulll'], ['query']]) {
      const { code, stdout, stderr } = await command([...args, '--json', '--help'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^Usage: moraine (query|run) /)
    }
    const wrong = await command(['query', '--json', '--limit', 'many', 'select 1'])
    expect(wrong.code).toBe(2)
    expect(json(wrong)).toMatchObject({
      error: { kind: 'usage', message: expect.stringContaining('--limit must be a whole number') },
    })
  })

  it('keep a deployment from an environment that it takes no notice of', async () => {
    for (const [option, value] of [
      ['--env', 'test'],
      ['--root', 's3://shop-test'],
      ['--branch', 'trial'],
    ] as const) {
      const { code, stderr } = await command([option, value, 'deploy', '--diff'])
      expect(code).toBe(2)
      expect(stderr).toContain(`moraine deploy does not take ${option} ${value}: it deploys where`)
      expect(stderr).toContain("aws({ name: isTest ? 'shop-test' : 'shop', databases:")
    }
  })

  it('name what there is', async () => {
    const folder = await newLake()
    await command(['-C', folder, 'run'])
    const said = async (...args: string[]) => (await command(['-C', folder, ...args])).stderr
    expect(await said('plan', 'tag:daily')).toMatch(/No dataset has the tag 'daily'/)
    expect(await said('plan', '+')).toMatch(/A selector names no dataset/)
    const typed = await said('query', '--param', '1', 'select ? + 1')
    expect(typed).toMatch(/Values of --param are texts.*\?::int/)
    expect(await said('test', 'nothing')).toMatch(/The tests are: silver\.orders /)
    const many = await said('bisect', 'select unnest(range(500)) > 1 from silver.orders')
    expect(many).toMatch(/must give one row with one value/)
    expect(await said('query', 'from daily_revenue')).toMatch(/Write gold\.daily_revenue\.\n/)
    const copied = await command(['-C', folder, 'copy', `${folder}/a copy`])
    expect(copied.stdout).toContain(`moraine --root '${folder}/a copy' …`)
  })

  it('init does not touch a folder that holds something', async () => {
    const project = await Project.create({ 'notes.txt': 'mine' })
    const { code, stderr } = await command(['init', project.folder])
    expect(code).toBe(2)
    expect(stderr).toContain('is not empty')
    expect(await readdir(project.folder)).toEqual(['notes.txt'])
  })
})

describe('being stopped', () => {
  it('Ctrl-C ends a run cleanly, and the next run goes on', async () => {
    const rows = Array.from({ length: 150_000 }, (_, i) => `${i},"name ${i}",${i % 100}.5`).join(
      '\n',
    )
    // A check that takes its time, so that there is a run to stop.
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const turns = process.env.SLOW ? 200_000 : 0
const isLong = (s: string) => {
  for (let i = 0; i < turns; i++) Math.sqrt(i)
  return s.length > 3
}
const raw = bronze('a', { from: files('a.csv') })
const a = silver('a', { from: raw, key: 'id', schema: z.object({ id: t.int(), name: z.string().refine(isLong), n: t.decimal(9, 2) }) })
const g = gold('g', { query: sql\`select count(*) as n from \${a}\` })
export default defineLake({ name: 'stop', datasets: [g] })`,
      'a.csv': `id,name,n\n${rows}\n`,
    })
    const bin = join(repository, 'bin/moraine.js')
    const child = spawn(process.execPath, [bin, '-C', project.folder, 'run'], {
      env: { ...process.env, SLOW: 'yes' },
    })
    let out = ''
    let stopped = false
    child.stdout.on('data', (chunk) => {
      out += chunk
      if (out.includes('bronze.a') && !stopped) stopped = child.kill('SIGINT')
    })
    const [code] = await once(child, 'close')
    expect(out).toContain('Stopped. What was ingested is kept')
    expect(code).toBe(1)
    const state = await project.state()
    expect([Object.keys(state.batches), Object.keys(state.tables)]).toEqual([['bronze.a'], []])
    const next = await project.cli('run')
    expect(next.code, `${next.stdout}${next.stderr}`).toBe(0)
    expect(await project.query('from gold.g')).toEqual([{ n: 150_000n }])
  })

  it('a reader that has seen enough is no error', async () => {
    const folder = await newLake()
    await command(['-C', folder, 'run'])
    const query = 'select * from range(1000000) t(i), silver.orders'
    const child = spawn('sh', [
      '-c',
      `${process.execPath} ${join(repository, 'bin/moraine.js')} -C ${folder} query --format csv "${query}" | head -2`,
    ])
    const chunks: string[] = []
    child.stderr.on('data', (chunk) => chunks.push(String(chunk)))
    const [code] = await once(child, 'close')
    expect([code, chunks]).toEqual([0, []])
  })
})

describe('what is shown', () => {
  it('can not steer the terminal, nor a spreadsheet where that is asked for', async () => {
    const folder = await newLake()
    await command(['-C', folder, 'run'])
    const evil = `select chr(27) || '[2J' as a, '=cmd()' as b, '-5' as c, -5 as d, '@x,"y"' as e`
    const table = await command(['-C', folder, 'query', evil])
    expect(table.stdout).toContain('\\x1b[2J')
    const csv = async (...args: string[]) => {
      const asked = ['query', '--format', 'csv', ...args, evil]
      return (await command(['-C', folder, ...asked])).stdout.split('\n')[1]
    }
    expect(await csv()).toBe(`\x1b[2J,=cmd(),-5,-5,"@x,""y"""`)
    expect(await csv('--escape-formulas')).toBe(`\x1b[2J,'=cmd(),-5,-5,"'@x,""y"""`)
    const shown = await command(['-C', folder, 'query', '--escape-formulas', evil])
    expect([shown.code, shown.stderr]).toEqual([2, expect.stringContaining('is for CSV')])
  })
})
