import { extname } from 'node:path'
import { openRemembered } from '../../../aws/deploy/lake-deployment.js'
import { stacksFor } from '../../../aws/deploy/plan-for.js'
import { replaceFile } from '../../../storage/replace-file.js'
import { plural, toJson } from '../../output/format.js'
import { print } from '../../project.js'
import { type DeployOptions, type Opened, pathFrom } from './options.js'

/**
 * Writes the templates for other tools: each stack to a file of its own, whose name says which; all
 * of them to the output, by name. Nothing is asked of AWS.
 */
export async function writeTemplates(opened: Opened, options: DeployOptions): Promise<number> {
  const { out = '-' } = options
  const stacks = stacksFor(await openRemembered(opened))
  if (out === '-') {
    print(toJson(Object.fromEntries(stacks.map(({ name, template }) => [name, template])), 2))
    return 0
  }
  const path = pathFrom(options, out)
  const ending = extname(path) || '.json'
  const written = stacks.map(({ name, parameters, template }) => ({
    stack: name,
    file: `${path.slice(0, path.length - extname(path).length)}-${name}${ending}`,
    resources: Object.keys(template.Resources).length,
    parameters,
    template,
  }))
  for (const { file, template } of written)
    await replaceFile(file, `${JSON.stringify(template, null, 2)}\n`)
  if (options.json)
    print(
      toJson(
        written.map(({ template: _, ...about }) => about),
        2,
      ),
    )
  else
    for (const { file, resources, parameters } of written)
      print(
        `${file}  ${plural(resources, 'resource')}${parameters.length > 0 ? `; parameters: ${parameters.join(', ')}` : ''}`,
      )
  return 0
}
