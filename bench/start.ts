import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, filledTickit, repository } from './tickit.js'

/**
 * `moraine status` on the filled TICKIT lake, beside a process that loads Zod and a TypeScript
 * file.
 */
export const status = () => besideNode('status')
/** `moraine plan`, likewise. */
export const plan = () => besideNode('plan')

async function besideNode(name: string): Promise<[Contender, Contender]> {
  const { command, env } = await filledTickit()
  const file = join(await benchFolder(), 'schema.ts')
  const zod = join(repository, 'node_modules/zod/index.js')
  await writeFile(
    file,
    `import { z } from ${JSON.stringify(zod)}\nconst schema: z.ZodObject = z.object({ a: z.string() })\nconsole.log(schema.parse({ a: 'x' }))\n`,
  )
  const loader = join(repository, 'node_modules/tsx/dist/loader.mjs')
  return [
    { name: `moraine ${name}`, run: () => measure(process.execPath, [...command, name], env) },
    {
      name: 'node with zod and a .ts file',
      run: () => measure(process.execPath, ['--import', loader, file], {}),
    },
  ]
}
