import { readFileSync } from 'node:fs'

/** The version of Moraine that runs: `0.1.0`. */
export const program: string = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).version
