/*
 * Loaded before the command line (node --import): stops the process (SIGSTOP) before the nth time
 * that it touches the lake's folder, as a laptop does that is closed. MORAINE_STOP is the number;
 * `count` only counts, and writes the number to the file MORAINE_STOP_COUNT. Signs of life do not
 * count: they come by the clock.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { MORAINE_STOP: at, MORAINE_STOP_COUNT: count, MORAINE_ROOT: root = '' } = process.env
let touched = 0

const touches = (args) =>
  args.some((arg) => typeof arg === 'string' && arg.startsWith(root) && !arg.includes('/live/'))

for (const name of ['open', 'link', 'unlink', 'mkdir']) {
  const real = fs.promises[name]
  fs.promises[name] = async (...args) => {
    if (touches(args) && ++touched === Number(at)) process.kill(process.pid, 'SIGSTOP')
    return real(...args)
  }
}
syncBuiltinESMExports()
if (at === 'count') process.on('exit', () => fs.writeFileSync(count, String(touched)))
