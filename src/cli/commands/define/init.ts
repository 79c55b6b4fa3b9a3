import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { MoraineError, messageOf } from '../../../errors.js'
import { makeFolder } from '../../../storage/disk.js'
import { replaceFile } from '../../../storage/replace-file.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { shellWord, toJson } from '../../output/format.js'
import { ownDependency } from '../../own-dependency.js'
import { type GlobalOptions, print } from '../../project.js'
import { starterFiles } from '../../starter.js'

export function define(command: Command): Command {
  return command
    .argument('[folder]', 'the new folder', 'my-lake')
    .addHelpText('after', examples(['a lake with a few orders in it', 'moraine init my-lake']))
}

export async function run(command: Command): Promise<number> {
  const options = command.optsWithGlobals<GlobalOptions>()
  const folder = resolve(options.directory, command.processedArgs[0] as string)
  const present = await readdir(folder).catch(() => [] as string[])
  const strange = present.filter((entry) => !isHarmless(entry))
  if (strange.length > 0)
    throw new MoraineError('usage', `${folder} is not empty: it contains ${shortList(strange)}`, {
      hint: `Use the name of a new folder: moraine init ${shellWord(`${basename(folder)}-2`)}`,
    })
  const name =
    basename(folder)
      .toLowerCase()
      .replace(/[^a-z0-9_-]+/g, '-')
      .replace(/^[^a-z]+/, '') || 'lake'
  await makeFolder(folder).catch((error) => {
    throw new MoraineError('usage', `Can't create ${folder}: ${messageOf(error)}`, {
      cause: error,
      hint: 'Choose a folder that you may write to.',
    })
  })
  const dependency = await ownDependency(folder)
  const files = starterFiles(name, dependency)
  const own = await packageWith(join(folder, 'package.json'), dependency)
  if (own !== undefined) files['package.json'] = own
  const written = Object.entries(files).filter(
    ([path]) => path === 'package.json' || !present.includes(path),
  )
  for (const [path, text] of written) {
    await makeFolder(dirname(join(folder, path)))
    await replaceFile(join(folder, path), text)
  }
  const shown = relative(process.cwd(), folder) || '.'
  if (options.json) print(toJson({ folder, files: written.map(([path]) => path) }, 2))
  else
    print(
      [
        `${colors.green('✔')} Created a small lake in ${colors.bold(shown)}:`,
        ...written.map(([path]) => `  ${path}`),
        '',
        'Next:',
        ...(shown === '.' ? [] : [`  cd ${shellWord(shown)}`]),
        '  npm install',
        '  npx moraine run',
        '  npx moraine query "from gold.daily_revenue"',
        '  npx moraine discarded orders',
      ].join('\n'),
    )
  return 0
}

/** What a folder may have in which a lake is made: a package without code, and what is hidden. */
const harmless =
  /^(\..*|package(-lock)?\.json|node_modules|readme.*|licen[cs]e.*|yarn\.lock|pnpm-lock\.yaml)$/i

function isHarmless(entry: string): boolean {
  return harmless.test(entry)
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}

/** A package that is there, with Moraine among what it depends on. */
async function packageWith(path: string, dependency: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  let found: { dependencies?: Record<string, string>; devDependencies?: Record<string, string> }
  try {
    found = JSON.parse(text)
  } catch (cause) {
    throw new MoraineError('usage', `${path} is not JSON: ${messageOf(cause)}`, {
      cause,
      hint: 'Fix it, or use the name of a new folder: moraine init my-lake',
    })
  }
  if (found.dependencies?.moraine ?? found.devDependencies?.moraine) return text
  const dependencies = { ...found.dependencies, moraine: dependency }
  return `${JSON.stringify({ ...found, dependencies }, null, 2)}\n`
}
