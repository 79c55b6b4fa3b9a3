import { readFileSync } from 'node:fs'
import { packageFolder } from '../home.js'

/** The version of Moraine that runs: `0.1.0`. */
export const program: string = JSON.parse(
  readFileSync(new URL('package.json', packageFolder), 'utf8'),
).version
