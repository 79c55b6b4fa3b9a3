import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { command } from '../support/commands.js'
import { repository } from '../support/project.js'

/*
 * Each folder of errors/ is a project with one mistake, the command that meets it, and what it
 * prints.
 * `UPDATE_GOLDEN=1 npx vitest run test/golden` puts the real output in: read it before you commit
 * it. Without that a project whose output nobody has read yet fails.
 */

const cases = join(repository, 'test/golden/errors')

/** The words of a command line; double quotes hold words together. */
function wordsOf(line: string): string[] {
  return [...line.trim().matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, word]) => quoted ?? word ?? '',
  )
}

/**
 * Steps that do not wait for one another end in any order: neighbouring ones that succeeded are
 * shown by name.
 */
function stepsByName(text: string): string {
  return text.replaceAll(/(?:^✔ .*\n)+/gm, (lines) => {
    const sorted = lines.trimEnd().split('\n').sort()
    return `${sorted.join('\n')}\n`
  })
}

describe('a mistake', () => {
  const names = readdirSync(cases)

  it('of each kind has its message', () => {
    expect(names.length).toBeGreaterThanOrEqual(40)
  })

  it.concurrent.each(names)('%s', async (name) => {
    // Tests that run side by side clean up for themselves.
    const home = await mkdtemp(join(tmpdir(), 'moraine-golden-'))
    const folder = join(home, 'shop')
    cpSync(join(cases, name), folder, { recursive: true })
    const line = readFileSync(join(cases, name, 'command.txt'), 'utf8')
    const { code, stdout, stderr } = await command(['-C', folder, ...wordsOf(line)])
    await rm(home, { recursive: true })
    const printed = stepsByName(`${stdout}${stderr}`)
      .replaceAll(/(\.\.\/)+\S*?\/shop\//g, '')
      .replaceAll(/\S*\/shop\b/g, 'shop')
      .replaceAll(/\d{8}T\d{9}Z-[0-9a-f]{6}/g, 'RUN')
      .replaceAll(/[\d.]+ s\b/g, 'N s')
      .replaceAll(/\(\d+ B\)/g, '(N B)')
      .trimEnd()
    const shown = `$ moraine ${line.trim()}\n${printed}\n(${code})\n`
    expect(printed).not.toMatch(/\n +at .*:\d+:\d+/)
    expect(code).toBeGreaterThan(0)
    const golden = join(cases, name, 'expected.txt')
    if (process.env.UPDATE_GOLDEN) writeFileSync(golden, shown)
    expect(shown).toBe(
      existsSync(golden) ? readFileSync(golden, 'utf8') : 'expected.txt is missing',
    )
  })
})
