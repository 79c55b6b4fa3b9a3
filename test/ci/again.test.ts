import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Files, Project, repository } from '../support/project.js'

/** Is true the first time that a file asks, and false from then on. */
const once = `
import { existsSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
const isFirst = !existsSync(import.meta.filename + '.ran')
writeFileSync(import.meta.filename + '.ran', '')
`
const passing = `import { it } from 'vitest'\nit('holds', () => {})\nit('holds, too', () => {})\n`

const script = `
set -uo pipefail
results=results
mkdir results
. .ci/tests.sh
[ -z "$MOST" ] || most_again=$MOST
vitest_step 'small tests' env TRIED=yes node_modules/.bin/vitest run
run_again
finish
`

/** Runs small tests as `.ci/run` does; what it prints from its closing part on, and its code. */
async function run(tests: Files, env: NodeJS.ProcessEnv = {}) {
  const config = `export default { test: { setupFiles: ['${repository}/test/support/properties.ts'] } }`
  const project = await Project.create({ 'vitest.config.ts': config, ci: script, ...tests })
  for (const name of ['.ci', 'node_modules'])
    await symlink(join(repository, name), join(project.folder, name))
  const outer = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'))
  const ended = await promisify(execFile)('bash', ['ci'], {
    cwd: project.folder,
    env: { ...Object.fromEntries(outer), MORAINE_SERVICES: '', MOST: '', NO_COLOR: '1', ...env },
  }).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    ({ stdout, code }: { stdout: string; code: number }) => ({ stdout, code }),
  )
  const [before = '', end = ''] = ended.stdout.split(/It took .*\n\n/)
  return { ...ended, before, end, last: end.trim().split('\n').at(-1), folder: project.folder }
}

describe('what fails is run again, alone', () => {
  it('what passes then is counted as passed and said at the end; what fails again has failed', async () => {
    const { end, last, code } = await run({
      'steady.test.ts': passing,
      'mood.test.ts': `${once}
        it('minds the machine', () => { expect(isFirst, 'too slow').toBe(false) })
        it('does not', () => {})`,
      'always.test.ts': `${once}
        it('is wrong', () => { expect(1, 'never so').toBe(2) })
        it('is right', () => {})`,
      'later.test.ts': `${once}
        it('fails at first', () => { expect(isFirst, 'only at first').toBe(false) })
        it('fails when it is run again', () => { expect(isFirst, 'only then').toBe(true) })`,
    })
    expect(last).toBe('6 passed, 2 failed')
    expect(code).toBe(1)
    const [unsteady = '', failures = ''] = end.split('FAILED: ')
    expect(unsteady).toContain('unsteady: failed once, passed when run again alone')
    expect(unsteady).toContain('mood.test.ts minds the machine')
    expect(unsteady).toContain('too slow')
    expect(unsteady).not.toMatch(/always|later/)
    expect(failures).toContain('small tests, once more: 2 of them')
    expect(failures).toContain('never so')
    expect(failures).toContain('later.test.ts fails when it is run again')
    expect(failures).not.toContain('mood')
  })

  it('also a file that could not be imported, a hook, a process that died, and an error outside of tests', async () => {
    const { end, last, code } = await run({
      'steady.test.ts': passing,
      'import.test.ts': `${once} if (isFirst) throw new Error('no import')
        it('holds', () => {})`,
      'hook.test.ts': `${once} import { afterAll, beforeAll, describe } from 'vitest'
        describe('with a hook', () => {
          beforeAll(() => { if (isFirst) throw new Error('no server') })
          afterAll(() => { if (isFirst) throw new Error('no end') })
          it('holds', () => {})
        })`,
      'dies.test.ts': `${once}
        it('holds', async () => { if (isFirst) { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}) } })`,
      'loose.test.ts': `${once}
        it('holds', async () => {
          if (isFirst) Promise.reject(new Error('nobody waits'))
          await new Promise((done) => setTimeout(done, 50))
        })`,
    })
    expect(last).toBe('6 passed, 0 failed')
    expect(code).toBe(0)
    for (const said of [
      /import\.test\.ts.*\n.*no import/,
      /hook\.test\.ts with a hook.*\n.*no server/,
      /dies\.test\.ts holds.*\n.*its process died/,
      /loose\.test\.ts \(Unhandled Rejection outside of tests\).*\n.*nobody waits/,
    ])
      expect(end).toMatch(said)
  })

  it('it draws the same values, in the environment of its step', async () => {
    const { last, folder } = await run({
      'values.test.ts': `${once} import fc from 'fast-check'
        it('holds for some', () => {
          let drawn = process.env.TRIED + ' '
          fc.assert(fc.property(fc.integer(), (n) => { drawn += n + ' ' }))
          writeFileSync(isFirst ? 'first' : 'second', drawn)
          expect(isFirst).toBe(false)
        })`,
    })
    expect(last).toBe('1 passed, 0 failed')
    const [first, second] = ['first', 'second'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    )
    expect(first).toMatch(/^yes (-?\d+ ){100}$/)
    expect(second).toBe(first)
  })
})

describe('what no mood of a machine explains fails at once', () => {
  it('many files, a run without tests, a broken run, and tests skipped where all services are there', async () => {
    const moody = `${once} it('minds', () => { expect(isFirst).toBe(false) })\n`
    const many = await run({ 'one.test.ts': moody, 'two.test.ts': moody }, { MOST: '1' })
    expect(many.last).toBe('0 passed, 2 failed')
    expect(many.before).toContain('2 files have failures: none of them is run again.')
    expect(many.end).not.toContain('unsteady')

    const broken = await run({ 'vitest.config.ts': 'throw new Error("no config")' })
    expect(broken.last).toBe('0 passed, 1 failed')
    const skipped = `it.skip('another', () => {})\n`
    const none = await run({ 'none.test.ts': once + skipped })
    expect(none.last).toBe('0 passed, 1 failed')

    const tests = {
      'steady.test.ts': `${once}it('holds', () => {})\n${skipped}`,
      'skips.test.ts': moody + skipped,
    }
    const required = await run(tests, { MORAINE_SERVICES: 'required' })
    expect(required.last).toBe('2 passed, 2 failed')
    expect(required.end).toContain('small tests: 1 tests were skipped')
    expect(required.end).toContain('small tests, once more: 1 tests were skipped')
  })
})
