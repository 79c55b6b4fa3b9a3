import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { makeFiles } from './files.js'

/** Writes the seven files to a folder, and `dirt.json`, which says what is wrong in them. */
export async function generate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const files = makeFiles()
  for (const { name, text } of files) await writeFile(join(folder, name), text)
  const dirt = Object.fromEntries(files.map((file) => [file.table, file.dirt]))
  await writeFile(join(folder, 'dirt.json'), `${JSON.stringify(dirt, null, 2)}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = process.argv[2] ?? join(import.meta.dirname, '..', 'data')
  await generate(folder)
  console.log(`The seven TICKIT files are in ${folder}`)
}
