// The test files that took longest, of all reports (see reporter.mjs) in a folder.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const MOST = 10
const folder = process.argv[2]
const reports = readdirSync(folder).filter((name) => name.endsWith('.json'))
const files = reports.flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')).files)
console.log(`\nThe ${MOST} slowest files, in seconds:`)
for (const { milliseconds, path } of files
  .sort((a, b) => b.milliseconds - a.milliseconds)
  .slice(0, MOST))
  console.log(`${(milliseconds / 1000).toFixed(1).padStart(8)}  ${relative(process.cwd(), path)}`)
