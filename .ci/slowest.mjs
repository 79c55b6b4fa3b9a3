// The test files that took longest, of all JSON reports of Vitest in a folder.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const MOST = 10
const folder = process.argv[2]
const reports = readdirSync(folder).filter((name) => name.endsWith('.json'))
const files = reports.flatMap((name) => {
  const { testResults } = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  return testResults.map(({ name: path, startTime, endTime }) => [endTime - startTime, path])
})
console.log(`\nThe ${MOST} slowest files, in seconds:`)
for (const [time, path] of files.sort(([a], [b]) => b - a).slice(0, MOST))
  console.log(`${(time / 1000).toFixed(1).padStart(8)}  ${relative(process.cwd(), path)}`)
