import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFiles } from '../examples/tickit/generate/files.js'

const [folder = '', scale = '1'] = process.argv.slice(2)
for (const { name, text } of makeFiles(2008, Number(scale))) writeFileSync(join(folder, name), text)
