import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Heartbeat } from '../../../src/log/live.js'
import { type Outcome, Project, repository, temporaryFolder } from '../../support/project.js'
import { csv, lakeFile, onBranch, shop } from './shop.js'

/** A change in CI: built on a branch, compared, held against a policy, published. */

/** The definition with more options of the lake. */
const withOptions = (options: string, of: Parameters<typeof lakeFile>[0] = {}) => {
  const [file] = Object.values(lakeFile(of)) as [string]
  return { 'lake.ts': file.replace("name: 'shop',", `name: 'shop', ${options},`) }
}

describe('review', () => {
  it('makes the branch, builds the change there, and writes one comment', async () => {
    const project = await shop()
    await project.write(lakeFile({ minimum: 20 }))
    const out = join(project.folder, 'review.md')
    const first = await project.cli('review', 'pr-1', '--out', out)
    expect([first.code, first.stderr]).toEqual([0, ''])
    expect(first.stdout).toMatch(/^<!-- moraine review pr-1 -->\n## ✔ The change builds/)
    expect(first.stdout).toContain('**gold.by\\_status**')
    expect(await readFile(out, 'utf8')).toBe(first.stdout.trimEnd())
    const [, commit] = /promote pr-1 --commit (\d+-[0-9a-f]{12})/.exec(first.stdout) ?? []

    // The same change once more makes nothing new; another one takes its place.
    expect((await project.cli('review', 'pr-1')).stdout).toBe(first.stdout)
    const { log } = await onBranch(project, 'pr-1')
    const { number, hash } = await log.head()
    expect(`${number}-${hash?.slice(0, 12)}`).toBe(commit)
    expect((await project.cli('promote', 'pr-1', '--commit', commit as string)).code).toBe(0)
  })

  it('asks for approval where rows or columns go that the policy keeps', async () => {
    const project = await shop()
    const policy = "review: { maxRemoved: '10%', maxDiscarded: '0' }"
    await project.write(withOptions(policy, { rule: 'amount < 30' }))
    const { code, stdout } = await project.cli('review', 'pr-1')
    expect(code).toBe(3)
    expect(stdout).toMatch(/⚠ The change builds, and needs approval/)
    expect(stdout).toMatch(/silver.orders\*\*: 1 row of 3 removed: more than 10%/)
    expect(stdout).toMatch(/1 row newly discarded, beside 3 kept before: more than 0/)
    expect((await project.cli('review', 'pr-1', '--approved')).code).toBe(0)

    const wider = withOptions(policy)['lake.ts'].replace(
      'sum(amount) as amount',
      'sum(amount) as total',
    )
    await project.write({ 'lake.ts': wider })
    const breaking = await project.cli('review', 'pr-2')
    expect(breaking.code).toBe(3)
    expect(breaking.stdout).toMatch(/readers may need columns that go or change: amount/)
  })

  it('asks for approval where columns of a view go or change, and only then', async () => {
    const report = (query: string, options = 'view: true,') => {
      const [text] = Object.values(lakeFile()) as [string]
      const view = `const report = gold('report', { ${options} query: sql\`${query}\` })`
      const more = text.replace('export default', `${view}\n export default`)
      return { 'lake.ts': more.replace('orders, byStatus]', 'orders, byStatus, report]') }
    }
    const reviewed = async (branch: string) => {
      const { code, stdout } = await project.cli('review', branch, '--json')
      const { diff, objections } = JSON.parse(stdout)
      return { code, columns: diff.datasets[0].columns, why: objections.map((o: any) => o.why) }
    }
    const project = await shop(report('select status, n, amount from ${byStatus}'))
    await project.write(report('select status, n::text as n from ${byStatus}'))
    expect(await reviewed('pr-1')).toEqual({
      code: 3,
      columns: [
        { column: 'amount', change: 'removed', before: 'decimal(38,2)', breaking: true },
        { column: 'n', change: 'type', before: 'bigint', after: 'string', breaking: true },
      ],
      why: ['readers may need columns that go or change: amount, n'],
    })
    // Where all columns stay, readers need nobody's approval: not for a table either.
    await project.write(report('select status, n, amount, 1 as one from ${byStatus}'))
    expect(await reviewed('pr-2')).toMatchObject({
      code: 0,
      columns: [{ column: 'one', change: 'added', breaking: false }],
    })
    await project.write(report('select status, n, amount from ${byStatus}', ''))
    expect(await reviewed('pr-3')).toMatchObject({ code: 0, columns: [], why: [] })
    await project.run()
    await project.write(report('select status, n from ${byStatus}'))
    expect(await reviewed('pr-4')).toMatchObject({
      code: 3,
      why: ['readers may need columns that go or change: amount'],
    })
  })

  it('holds a check that is new against a table that nothing else changes', async () => {
    const project = await shop()
    await project.write(lakeFile({ least: 5 }))
    const failed = await project.cli('review', 'pr-1')
    expect([failed.code, failed.stderr]).toEqual([1, ''])
    expect(failed.stdout).toMatch(/✖ A check does not hold/)
    expect(failed.stdout).toMatch(/✖ \*\*gold.by\\_status\*\*, check .*: it has 1 row/)
    await project.write(lakeFile({ least: 1 }))
    const { code, stdout } = await project.cli('review', 'pr-1')
    expect(code).toBe(0)
    expect(stdout).not.toMatch(/check/)
  })

  it.each([
    [
      'asks for more under its name',
      'sql`from this_table where amount < 0`',
      'sql`from this_table where amount <= 10`',
    ],
    [
      'only warned until now',
      "sql`from this_table where amount <= 10`, { severity: 'warn' }",
      'sql`from this_table where amount <= 10`',
    ],
  ])(
    'holds a check that %s against a table that nothing else changes',
    async (_, before, after) => {
      const checked = (asked: string) => {
        const [text] = Object.values(lakeFile()) as [string]
        const checks = `checks: [check.sql('amounts are right', ${asked})],`
        return { 'lake.ts': text.replace("key: 'order_id',", `key: 'order_id', ${checks}`) }
      }
      const project = await shop(checked(before))
      await project.write(checked(after))
      const failed = await project.cli('review', 'pr-1')
      expect([failed.code, failed.stderr]).toEqual([1, ''])
      expect(failed.stdout).toMatch(/✖ A check does not hold/)
      expect(failed.stdout).toMatch(/✖ \*\*silver.orders\*\*, check amounts are right: .* 1 row/)
      // What is known to hold, or was known before to do no more than warn, is not asked again.
      await project.write(checked(before))
      const same = await project.cli('review', 'pr-1', '--json')
      expect(same.code).toBe(0)
      expect(JSON.parse(same.stdout).held).toEqual([])
    },
  )

  it('holds a check that looks into a table of which the change takes rows', async () => {
    const cities = (rule: string) => ({
      'lake.ts': `
        import { bronze, check, defineLake, rule, silver, sql, t, z } from 'moraine'
        import { files } from 'moraine/sources'
        const cities = silver('cities', {
          from: bronze('cities', { from: files('cities.csv') }),
          schema: z.object({ city: z.string(), size: t.int() }),
          rules: [${rule}],
        })
        const shops = silver('shops', {
          from: bronze('shops', { from: files('shops.csv') }),
          schema: z.object({ shop: t.int(), city: z.string() }),
          checks: [check.references('city', cities, 'city')],
        })
        export default defineLake({ name: 'shops', datasets: [cities, shops] })`,
      'cities.csv': 'city,size\nBern,2\nChur,1\n',
      'shops.csv': 'shop,city\n1,Bern\n2,Chur\n',
    })
    const project = await Project.create(cities(''))
    expect((await project.run()).outcome).toBe('done')
    await project.write(cities("rule('large', sql`size > 1`)"))
    const { code, stdout } = await project.cli('review', 'pr-1')
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /✖ \*\*silver.shops\*\*, check .*a value that does not exist in silver.cities, such as Chur/,
    )
  })

  it('says what failed, and is of main as it is now', async () => {
    const project = await shop()
    await project.write(lakeFile({ minimum: 20, least: 5 }))
    const failed = await project.cli('review', 'pr-1')
    expect(failed.code).toBe(1)
    expect(failed.stdout).toMatch(/✖ The change does not build/)
    expect(failed.stdout).toMatch(/gold.by\\_status/)
    expect(failed.stdout).not.toMatch(/moraine promote/)

    await project.write({ ...lakeFile(), 'data/2.csv': csv([[4, 'paid', '40.00']]) })
    await project.run()
    await project.write(lakeFile({ minimum: 20 }))
    const { stdout } = await project.cli('review', 'pr-1', '--json')
    const { diff } = JSON.parse(stdout)
    expect(diff.datasets.map(({ dataset }: any) => dataset)).toEqual(['gold.by_status'])
    expect((await project.cli('promote', 'pr-1')).code).toBe(0)
  })

  it('builds on the workers of lake.ts, or on those that are asked for, while a server is there', async () => {
    const project = await shop()
    await project.write(withOptions('engine: workers(2)', { minimum: 20 }))
    const imports = await readFile(join(project.folder, 'lake.ts'), 'utf8')
    await project.write({
      'lake.ts': imports.replace('import { bronze,', 'import { workers, bronze,'),
    })
    const here = await project.cli('review', 'pr-1', '--engine', 'duckdb')
    expect([here.code, here.stderr]).toEqual([0, ''])
    expect(await project.storage.list('_moraine/definitions/')).toEqual([])
    const by = { id: 'serve-1', author: 'ada', started: new Date().toISOString(), commit: 1 }
    const main = Heartbeat.ofRun(project.storage, { ...by, command: 'serve' })
    await main.seen
    const there = await project.cli('review', 'pr-2')
    await main.stop()
    expect([there.code, there.stderr]).toEqual([0, ''])
    expect(await project.storage.list('_moraine/definitions/')).toHaveLength(1)
    const compared = (text: string) =>
      text.slice(text.indexOf('| dataset |'), text.indexOf('<sub>'))
    expect(compared(there.stdout)).toBe(compared(here.stdout))
    expect((await project.cli('promote', 'pr-2', '--refresh')).code).toBe(0)
  })

  it('refuses a policy that is none', async () => {
    const project = await Project.create(withOptions("review: { maxRemoved: 1, breaking: 'no' }"))
    const { code, stderr } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stderr).toMatch(/maxRemoved must be a share such as '1%'/)
    expect(stderr).toMatch(/breaking must be/)
  })
})

describe('the workflows of examples/ci', () => {
  /** Lines of a workflow that call Moraine, with what the runner would put in. */
  const commandsOf = (file: string, values: Record<string, string>) =>
    [
      ...readFileSync(join(repository, 'examples/ci', file), 'utf8').matchAll(
        /^.*?npx moraine (.*)$/gm,
      ),
    ]
      .flatMap(([, line = '']) => line.split(' || npx moraine '))
      .map((line) =>
        line
          .replace(/\$\{?(\w+)\}?/g, (_, name: string) => values[name] ?? '')
          .replaceAll('"', '')
          .split(' ')
          .filter((part) => part !== ''),
      )

  for (const [file, values] of [
    ['github/lake.yml', { BRANCH: 'pr-7' }],
    ['gitlab/.gitlab-ci.yml', { CI_MERGE_REQUEST_IID: '7', MERGED_IID: '7' }],
  ] as const)
    it(`${file} reviews a change and publishes what was merged`, async () => {
      const project = await shop()
      const [review, promote, refresh, end] = commandsOf(file, values) as string[][]
      const at = (args: readonly string[] = []): Promise<Outcome> =>
        project.cli(...args.map((arg) => (arg === 'review.md' ? join(project.folder, arg) : arg)))
      await project.write(lakeFile({ minimum: 20 }))
      expect((await at(review)).code).toBe(0)
      // Rows come in between: the first way is refused, the second builds them.
      await project.write({ ...lakeFile(), 'data/2.csv': csv([[4, 'paid', '40.00']]) })
      await project.run()
      await project.write(lakeFile({ minimum: 20 }))
      expect((await at(promote)).code).toBe(1)
      expect((await at(refresh)).code).toBe(0)
      const rows = await project.cli('query', 'from gold.by_status', '--json')
      expect(JSON.parse(rows.stdout)).toEqual([{ status: 'paid', n: 3, amount: '90.00' }])
      if (!end) return
      await at(review)
      expect((await at(end)).code).toBe(0)
      expect((await project.state()).branches).toBeUndefined()
    })

  /** What a job says and does beside Moraine, where a program that it calls answers so. */
  async function decided(file: string, script: string, answer: string, env: object) {
    const folder = await temporaryFolder()
    const program = file.startsWith('github') ? 'gh' : 'curl'
    const [calls, output, answered] = ['calls', 'output', 'answer'].map((one) => join(folder, one))
    await writeFile(answered as string, answer)
    const stub = `#!/bin/sh\necho "$*" >> ${calls}\ncat ${answered}\n`
    await writeFile(join(folder, program), stub, { mode: 0o755 })
    const PATH = `${folder}:${process.env.PATH}`
    const said = `${script}\necho "$APPROVED" >> ${output}`
    const known = { ...process.env, ...env, PATH, GITHUB_OUTPUT: output } as NodeJS.ProcessEnv
    await promisify(execFile)('bash', ['-eo', 'pipefail', '-c', said], { env: known, cwd: folder })
    return {
      approved: (await readFile(output as string, 'utf8')).includes('--approved'),
      isLabelRemoved: /DELETE .*\/labels\/data-approved|PUT .*remove_labels=data-approved/.test(
        await readFile(calls as string, 'utf8'),
      ),
    }
  }

  /** The lines that decide, as a shell gets them. */
  function decisionOf(file: string): string {
    const text = readFileSync(join(repository, 'examples/ci', file), 'utf8')
    if (file.startsWith('github'))
      return /name: approval\n[\s\S]*?run: \|\n([\s\S]*?)\n {6}- name/.exec(text)?.[1] as string
    const [, lines = ''] = /\n {2}script:\n([\s\S]*?) {4}- npx moraine/.exec(text) ?? []
    return lines
      .split(/^ {4}- /m)
      .map((item) => item.replace(/^>-\n/, '').replaceAll(/\n +/g, ' '))
      .join('\n')
  }

  it.each([
    [
      'the comment that shows this very commit',
      'abc',
      true,
      { approved: true, isLabelRemoved: false },
    ],
    [
      'none that shows what was there before a push',
      'abd',
      true,
      { approved: false, isLabelRemoved: true },
    ],
    ['nothing where it is not set', 'abc', false, { approved: false, isLabelRemoved: false }],
  ])('let a label approve %s', async (_, shown, isLabeled, expected) => {
    const github = { BRANCH: 'pr-7', HEAD: 'abc', NUMBER: '7', LABELED: String(isLabeled) }
    const answers = `11 true\n12 ${shown === 'abc'}\n`
    const onGithub = await decided('github', decisionOf('github/lake.yml'), answers, github)
    expect(onGithub).toEqual(expected)
    // What a comment says of the data is no label.
    const body = `<!-- moraine review mr-7 -->\n,data-approved,\n<!-- of commit ${shown} -->`
    const labels = isLabeled ? 'other,data-approved' : 'other'
    const gitlab = { CI_COMMIT_SHA: 'abc', CI_MERGE_REQUEST_LABELS: labels, MERGE_REQUEST: 'x' }
    const notes = JSON.stringify([{ body: 'of commit abc' }, { body }])
    const onGitlab = await decided('gitlab', decisionOf('gitlab/.gitlab-ci.yml'), notes, gitlab)
    expect(onGitlab).toEqual(expected)
  })

  it('give credentials to no code of a fork', () => {
    const text = readFileSync(join(repository, 'examples/ci/github/lake.yml'), 'utf8')
    expect(text.replace(/^#.*$/gm, '')).not.toContain('pull_request_target')
    const jobs = text.split(/^ {2}(?=[\w-]+:$)/m).filter((job) => job.includes('configure-aws'))
    expect(jobs.length).toBeGreaterThan(2)
    for (const job of jobs)
      expect(job).toMatch(/head\.repo\.full_name == github\.repository|pull_request\.merged$/m)
  })
})

describe('environments', () => {
  const environments = `environments: {
    dev: { branch: (user: string) => '../Dev ' + user + '@x', ttl: '7d' }, other: { root: 'elsewhere' } }`

  it('are a branch for each user, which a run creates, or another place', async () => {
    const project = await shop()
    await project.write(withOptions(environments, { minimum: 20 }))
    const missing = await project.cli('status', '--env', 'dev')
    expect(missing.stderr).toMatch(
      /There is no branch dev-\w+-x-[0-9a-f]{6} of environment 'dev' yet[\s\S]*moraine run --env dev/,
    )
    expect((await project.cli('run', '--env', 'dev')).code).toBe(0)
    const [branch] = JSON.parse((await project.cli('branch', '--json')).stdout)
    expect(branch.branch).toMatch(/^dev-\w+-x-[0-9a-f]{6}$/)
    expect(branch.expires).toBeDefined()
    const rows = async (...args: string[]) =>
      JSON.parse(
        (await project.cli('query', 'select n from gold.by_status', '--json', ...args)).stdout,
      )
    expect(await rows('--env', 'dev')).toEqual([{ n: 2 }])
    expect(await rows()).toEqual([{ n: 3 }])
    expect((await project.cli('run', '--env', 'other')).code).toBe(0)
    expect(
      await project.storageAt(join(project.folder, 'elsewhere')).list('_moraine/log/'),
    ).not.toEqual([])
    const wrong = await project.cli('plan', '--env', 'prod')
    expect(wrong.stderr).toMatch(/lake.ts has no environment 'prod'/)
  })
})
