/*
 * Loaded before the command line (node --import): kills the process before or after the nth time
 * that it touches the lake: its folder, or its bucket by a request. MORAINE_KILL is `before:17` or
 * `after:17`; `count` only counts. At its own end it writes how often it did to the file
 * MORAINE_KILL_COUNT.
 */
import fs from 'node:fs'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'

const [when, at] = (process.env.MORAINE_KILL ?? '').split(':')
const root = process.env.MORAINE_ROOT ?? ''
let touched = 0

const die = () => process.kill(process.pid, 'SIGKILL')

function touches(args) {
  return args.some((arg) => typeof arg === 'string' && arg.startsWith(root))
}

if (root.startsWith('s3:')) {
  const real = http.request
  http.request = (...args) => {
    const mine = ++touched === Number(at)
    if (mine && when === 'before') die()
    const request = real(...args)
    if (mine && when === 'after') for (const end of ['response', 'error']) request.once(end, die)
    return request
  }
} else
  for (const name of ['open', 'link', 'rename', 'unlink', 'mkdir']) {
    const real = fs.promises[name]
    fs.promises[name] = async (...args) => {
      if (!touches(args)) return real(...args)
      const mine = ++touched === Number(at)
      if (mine && when === 'before') die()
      try {
        return await real(...args)
      } finally {
        // Whether it could be done or not: what is not there, for one, is looked for, too.
        if (mine && when === 'after') die()
      }
    }
  }
syncBuiltinESMExports()
process.on('exit', () => fs.writeFileSync(process.env.MORAINE_KILL_COUNT, String(touched)))
