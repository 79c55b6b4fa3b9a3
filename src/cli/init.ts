import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { MoraineError } from '../errors.js'
import { examples } from './examples.js'
import colors from './output/colors.js'
import { toJson } from './output/format.js'
import { type GlobalOptions, print } from './project.js'
import { starterFiles } from './starter.js'

export function define(command: Command): Command {
  return command
    .argument('[folder]', 'the new folder', 'my-lake')
    .addHelpText('after', examples(['a lake with a few orders in it', 'moraine init my-lake']))
}

export async function run(command: Command): Promise<number> {
  const options = command.optsWithGlobals<GlobalOptions>()
  const folder = resolve(options.directory, command.processedArgs[0] as string)
  const present = await readdir(folder).catch(() => [] as string[])
  if (present.length > 0)
    throw new MoraineError('usage', `${folder} is not empty`, {
      hint: 'Give the name of a new folder: moraine init my-lake',
    })
  const name =
    basename(folder)
      .toLowerCase()
      .replace(/[^a-z0-9_-]+/g, '-')
      .replace(/^[^a-z]+/, '') || 'lake'
  const files = starterFiles(name)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  const shown = relative(process.cwd(), folder) || '.'
  if (options.json) print(toJson({ folder, files: Object.keys(files) }, 2))
  else
    print(
      [
        `${colors.green('✔')} A small lake is in ${colors.bold(shown)}:`,
        ...Object.keys(files).map((path) => `  ${path}`),
        '',
        'Next:',
        `  cd ${shown}`,
        '  npx moraine run',
        '  npx moraine query "from gold.daily_revenue"',
        '  npx moraine discarded orders',
      ].join('\n'),
    )
  return 0
}
