/*
 * Loaded before the command line (node --import): kills the process before or after the nth time
 * that it touches the lake's folder. MORAINE_KILL is `before:17` or `after:17`; `count` only
 * counts, and writes the number to the file MORAINE_KILL_COUNT.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [when, at] = (process.env.MORAINE_KILL ?? '').split(':')
const root = process.env.MORAINE_ROOT ?? ''
let touched = 0

function touches(args) {
  return args.some((arg) => typeof arg === 'string' && arg.startsWith(root))
}

for (const name of ['open', 'link', 'rename', 'unlink', 'mkdir']) {
  const real = fs.promises[name]
  fs.promises[name] = async (...args) => {
    if (!touches(args)) return real(...args)
    const mine = ++touched === Number(at)
    if (mine && when === 'before') process.kill(process.pid, 'SIGKILL')
    const result = await real(...args)
    if (mine && when === 'after') process.kill(process.pid, 'SIGKILL')
    return result
  }
}
syncBuiltinESMExports()
if (when === 'count')
  process.on('exit', () => fs.writeFileSync(process.env.MORAINE_KILL_COUNT, String(touched)))
