/*
 * Loaded before the command line (node --import): whenever the process makes a file or a folder
 * among the lake's data, looks whether it says in the lake that it is at work. MORAINE_HEARD is a
 * file that a line is written to for each: `heard` or `unheard`, and the path. With
 * MORAINE_HEARD_STOP the process is stopped at the first.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'

const { MORAINE_HEARD: report, MORAINE_HEARD_ROOT: root, MORAINE_HEARD_STOP: stop } = process.env
const data = /^(bronze|silver|gold|discarded|deleted|history|tombstones|ended)\//
let stopped = false

function isHeard() {
  const live = join(root, '_moraine/live')
  const entries = fs.existsSync(live) ? fs.readdirSync(live, { recursive: true }) : []
  return entries
    .filter((name) => name.endsWith('.json'))
    .some((name) => JSON.parse(fs.readFileSync(join(live, name), 'utf8')).pid === process.pid)
}

function look(path) {
  if (typeof path !== 'string' || !path.startsWith(`${root}/`)) return
  const inside = path.slice(root.length + 1)
  if (!data.test(inside) || inside.includes('/landing/')) return
  fs.appendFileSync(report, `${isHeard() ? 'heard' : 'unheard'} ${inside}\n`)
  if (!stop || stopped) return
  stopped = true
  process.kill(process.pid, 'SIGSTOP')
}

const { mkdir, open, copyFile } = fs.promises
fs.promises.mkdir = (path, ...more) => {
  look(path)
  return mkdir(path, ...more)
}
fs.promises.copyFile = (from, to, ...more) => {
  look(to)
  return copyFile(from, to, ...more)
}
fs.promises.open = (path, flags, ...more) => {
  if (String(flags).startsWith('w')) look(path)
  return open(path, flags, ...more)
}
syncBuiltinESMExports()
