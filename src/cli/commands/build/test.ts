import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { glob } from 'tinyglobby'
import { fullName } from '../../../define/dataset.js'
import { takeMistakes } from '../../../define/problems/mistakes.js'
import { DefinitionError, MoraineError, messageOf } from '../../../errors.js'
import { loadModule } from '../../../load/load.js'
import type { DatasetTest } from '../../../testing/dataset-test.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { renderError } from '../../output/errors.js'
import { plural, toJson } from '../../output/format.js'
import { type GlobalOptions, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .argument('[name...]', 'only tests whose name or dataset contains one of these strings')
    .addHelpText(
      'after',
      examples(
        ['all tests in files that end in .tests.ts', 'moraine test'],
        ['the tests of one dataset', 'moraine test silver.orders'],
      ),
    )
}

interface Outcome {
  test: string
  dataset: string
  file: string
  passed: boolean
  milliseconds: number
  message?: string
}

export async function run(command: Command): Promise<number> {
  const { directory, json = false } = command.optsWithGlobals<GlobalOptions>()
  const folder = resolve(directory)
  const files = await glob('**/*.tests.{ts,mts,js,mjs}', {
    cwd: folder,
    ignore: ['**/node_modules/**', '**/dist/**'],
    absolute: true,
  })
  if (files.length === 0)
    throw new MoraineError('usage', `No files in ${folder} end in .tests.ts`, {
      hint: 'Create one that exports tests: export default [datasetTest(…)], from moraine/testing',
    })
  const outcomes: Outcome[] = []
  const others: string[] = []
  for (const file of files.sort())
    for (const test of await testsOf(file)) {
      if (!isWanted(test, command.args)) {
        others.push(`${fullName(test.dataset)} ${test.name}`)
        continue
      }
      const outcome = await runTest(test, relative(folder, file))
      outcomes.push(outcome)
      if (!json) show(outcome)
    }
  if (outcomes.length === 0)
    throw new MoraineError('usage', `No test matches ${command.args.join(' or ')}`, {
      hint: `The tests are: ${shortList(others)}`,
    })
  const failed = outcomes.filter(({ passed }) => !passed).length
  if (json) print(toJson({ tests: outcomes, passed: outcomes.length - failed, failed }, 2))
  else
    print(
      `\n${plural(outcomes.length - failed, 'test')} passed${failed > 0 ? colors.red(`, ${failed} failed`) : ''}`,
    )
  return failed > 0 ? 1 : 0
}

/** Tests that a list shows. */
const LISTED = 10

function shortList(names: readonly string[]): string {
  const more = names.length - LISTED
  return `${names.slice(0, LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

async function testsOf(file: string): Promise<DatasetTest[]> {
  const { default: found } = await loadModule(file)
  const mistakes = takeMistakes()
  if (mistakes.length > 0) throw new DefinitionError(mistakes)
  const tests = Array.isArray(found) ? found : [found]
  if (tests.every((test) => test?.kind === 'dataset test')) return tests
  throw new MoraineError('definition', `${file} does not export tests`, {
    place: { file, line: 1, column: 1 },
    hint: 'End it with: export default [datasetTest(…)]',
  })
}

function isWanted({ name, dataset }: DatasetTest, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((text) => `${fullName(dataset)} ${name}`.includes(text))
}

async function runTest(test: DatasetTest, file: string): Promise<Outcome> {
  const start = performance.now()
  const common = { test: test.name, dataset: fullName(test.dataset), file }
  const took = () => Math.round((performance.now() - start) * 10) / 10
  try {
    const differences = await test.compare()
    const message = differences.map(({ what, text }) => `${what}\n${text}`).join('\n')
    const passed = differences.length === 0
    return { ...common, passed, milliseconds: took(), ...(passed ? {} : { message }) }
  } catch (error) {
    const message = error instanceof MoraineError ? renderError(error) : messageOf(error)
    return { ...common, passed: false, milliseconds: took(), message }
  }
}

function show({ test, dataset, passed, milliseconds, message, file }: Outcome): void {
  const mark = passed ? colors.green('✔') : colors.red('✖')
  print(`${mark} ${dataset}  ${test}  ${colors.dim(`${milliseconds} ms`)}`)
  if (message !== undefined)
    print(
      `${[`${colors.dim(file)}`, ...message.split('\n')].map((line) => `    ${line}`).join('\n')}`,
    )
}
