// node counts.mjs REPORT STATUS [FIRST]: prints what a run of Vitest comes to, `PASSED FAILED
// SKIPPED`, and what failed in it. REPORT is what reporter.mjs wrote, STATUS with what Vitest
// ended.
//
// With LATER=FILE, files with failures are not counted yet: their paths go into FILE, to be run
// again. With FIRST, the report of a first run, REPORT is that of running its failures again: each
// of its failed files has to be there, and what failed at first and passed now goes into the file
// UNSTEADY.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'

const FIRST_LINES = 8
const LAST_LINES = 12
const [report, status, first] = process.argv.slice(2)
const { LATER, UNSTEADY } = process.env

const read = (path) =>
  path && existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
const hasFailed = (file) => file.failures.length > 0
const sum = (files, of) => files.reduce((total, file) => total + of(file), 0)

function shown(path, { name, message }, last = LAST_LINES) {
  const lines = message.split('\n')
  const between = lines.length - FIRST_LINES - last
  if (between > 1) lines.splice(FIRST_LINES, between, `[… ${between} lines]`)
  const text = lines.map((line) => `    ${line.slice(0, 1000)}\n`).join('')
  return `  ${path && relative(process.cwd(), path)} ${name}\n${text}`
}

/** Failures of files that were to be run again and are not in the report. */
function missing(files) {
  const paths = new Set(files.map((file) => file.path))
  const lost = (read(first)?.files ?? []).filter(hasFailed).filter(({ path }) => !paths.has(path))
  return lost.map(({ path, failures }) => ({
    path,
    passed: 0,
    skipped: 0,
    failures: [...failures, { name: '', message: 'It could not be run again.' }],
  }))
}

function tellUnsteady(files) {
  const steady = new Set(files.filter((file) => !hasFailed(file)).map((file) => file.path))
  for (const { path, failures } of read(first)?.files ?? [])
    if (steady.has(path))
      for (const failure of failures) appendFileSync(UNSTEADY, shown(path, failure, 0))
}

const said = read(report) ?? { files: [], errors: [] }
const reported = [...said.files, ...missing(said.files)]
const failed = reported.filter(hasFailed)
if (LATER) writeFileSync(LATER, failed.map((file) => `${file.path}\n`).join(''))
if (first) tellUnsteady(said.files)
const files = LATER ? reported.filter((file) => !hasFailed(file)) : reported
const passed = sum(files, (file) => file.passed)
let bad = sum(files, (file) => file.failures.length) + said.errors.length
const explained = bad > 0 || (LATER && failed.length > 0)
if (!explained && (status !== '0' || passed === 0)) bad = 1
const skipped = sum(
  files.filter((file) => !hasFailed(file)),
  (file) => file.skipped,
)
console.log(`${passed} ${bad} ${skipped}`)
for (const file of files)
  for (const failure of file.failures) process.stdout.write(shown(file.path, failure))
for (const error of said.errors) process.stdout.write(shown('', error))
