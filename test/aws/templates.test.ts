import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { faultsOf } from '../support/cloudformation.js'
import { everything, examples, templatesOf } from '../support/example-templates.js'
import { repository } from '../support/project.js'
import { withService } from '../support/services.js'

const cases = examples.flatMap((example) => [
  { example, options: undefined, title: example },
  { example, options: everything, title: `${example}, with everything` },
])

describe.each(cases)('the templates of $title', ({ example, options }) => {
  it('are what was looked at', async () => {
    const made = await templatesOf(example, options)
    expect(faultsOf(made)).toEqual([])
    if (options) return
    for (const { name, template } of made.stacks) {
      const path = join(repository, 'test/golden/aws', `${name}.json.txt`)
      const text = `${JSON.stringify(template, null, 1)}\n`
      if (process.env.UPDATE_GOLDENS) {
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, text)
      }
      expect(existsSync(path), 'make it with UPDATE_GOLDENS=1, and read it').toBe(true)
      expect(readFileSync(path, 'utf8')).toBe(text)
    }
  })
})

/** A folder with all templates, as files. */
async function written(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-test-'))
  const made = await Promise.all(
    cases.map(async ({ example, options }, i) => {
      const { stacks } = await templatesOf(example, options)
      return stacks.map(({ name, template }) => {
        const path = join(folder, `${i}-${name}.json`)
        writeFileSync(path, JSON.stringify(template))
        return path
      })
    }),
  )
  return made.flat()
}

const { MORAINE_CFN_LINT, MORAINE_CHECKOV } = process.env

withService('cfn-lint', [MORAINE_CFN_LINT], () => {
  it('finds nothing', async () => {
    const files = await written()
    // W3005: a dependency that a reference makes as well.
    const { stdout, status } = spawnSync(
      MORAINE_CFN_LINT as string,
      ['--ignore-checks', 'W3005', '--', ...files],
      { encoding: 'utf8' },
    )
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })
})

withService('checkov', [MORAINE_CHECKOV], () => {
  it('finds nothing without a written reason', async () => {
    const [first = ''] = await written()
    const args = [
      '--framework',
      'cloudformation',
      '--skip-download',
      '-o',
      'json',
      '-d',
      dirname(first),
    ]
    const text = execFileSync(MORAINE_CHECKOV as string, [...args, '--soft-fail'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    const { summary, results } = JSON.parse(text)
    const failed = results.failed_checks.map(
      (one: Record<string, string>) => `${one.check_id} ${one.resource}`,
    )
    expect(failed).toEqual([])
    expect(summary.passed).toBeGreaterThan(100)
  }, 300_000)
})
