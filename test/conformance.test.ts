import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isRefusal, type Rule, type Taken } from '../src/sql/bound/rule.js'
import { aggregates, castRule, functions, windows } from '../src/sql/bound/rules/rules.js'
import { type TargetName, targetNames, targets } from '../src/sql/bound/target.js'
import { classOf } from '../src/sql/bound/types.js'
import { typesOf } from './foreign/gold/values.js'
import { repository } from './support/project.js'

/*
 * The guide's table of what gold's SQL may use on other engines is drawn from the list that its
 * SQL is written by, every line of which `test/foreign/gold` tries on the engines themselves.
 * `UPDATE_DOCS=1 npx vitest run test/conformance.test.ts` draws it again.
 */

const words: Partial<Record<Taken, string>> = {
  integer: 'whole number',
  hugeint: 'huge whole number',
  comparable: 'any but doubles',
  any: 'anything',
  count: 'constant number',
  place: 'constant number from 1',
  word: 'constant text',
  none: 'constant interval',
}

const givenOf = ({ takes, more }: Pick<Rule, 'takes' | 'more'>) =>
  takes.length === 0 ? '–' : takes.map((one) => words[one] ?? one).join(', ') + (more ? ', …' : '')

const stateOf = (rule: Rule, target: TargetName) => {
  const write = rule[target]
  return isRefusal(write) ? `refused: ${write.refused}` : 'exact'
}

/** Lines that differ in their names alone are one. */
function linesOf(rules: readonly Rule[]): string[] {
  const groups = new Map<string, Set<string>>()
  for (const rule of rules) {
    const rest = [givenOf(rule), ...targetNames.map((target) => stateOf(rule, target))]
    const key = rest.join(' | ')
    groups.set(key, (groups.get(key) ?? new Set()).add(`\`${rule.name.replaceAll('|', '\\|')}\``))
  }
  return [...groups].map(([key, names]) => `| ${[...names].join(' ')} | ${key} |`)
}

/** From which kinds of values to which ones, and whether all types of them can. */
function castLines(): string[] {
  const types = Object.values(typesOf).flat()
  const found = new Map<string, Set<boolean>>()
  for (const from of types)
    for (const to of types) {
      const pair = `${classOf(from)} | ${classOf(to)}`
      const isExact = !isRefusal(castRule(from, to))
      found.set(pair, (found.get(pair) ?? new Set()).add(isExact))
    }
  const by = new Map<string, string[]>()
  for (const [pair, states] of found) {
    if (!states.has(true)) continue
    const [from = '', to = ''] = pair.split(' | ').map((one) => words[one as Taken] ?? one)
    by.set(from, [
      ...(by.get(from) ?? []),
      states.has(false) ? `${to} (where no digit is lost)` : to,
    ])
  }
  return [...by].map(([from, to]) => `| ${from} | ${to.join(', ')} |`)
}

const head = `| ${['function', 'arguments', ...targetNames.map((one) => targets[one].title)].join(' | ')} |`
const line = '| --- | --- | --- | --- |'

const drawn = [
  head,
  line,
  ...linesOf(functions),
  ...linesOf(aggregates).map((one) => one.replace('| ', '| aggregate: ')),
  ...linesOf(windows).map((one) => one.replace('| ', '| window: ')),
  '',
  '| a cast of | to |',
  '| --- | --- |',
  ...castLines(),
].join('\n')

describe('the guide', () => {
  it('says what gold may use on other engines', () => {
    const path = join(repository, 'docs/guide/machines.md')
    const page = readFileSync(path, 'utf8')
    const marks = /(<!-- conformance -->\n)[\s\S]*(<!-- \/conformance -->)/
    expect(page).toMatch(marks)
    const text = page.replace(marks, (_, begin, end) => `${begin}${drawn}\n${end}`)
    if (process.env.UPDATE_DOCS) writeFileSync(path, text)
    expect(page, 'draw it again with UPDATE_DOCS=1').toBe(process.env.UPDATE_DOCS ? page : text)
  })
})
