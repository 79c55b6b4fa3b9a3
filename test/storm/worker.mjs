/*
 * A process that runs commands of the command line one after the other, so that a storm need not
 * start one for each; it dies as any other. It can be told to die at the n-th time that a command
 * touches the lake's folder.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const out = process.stdout
out.setMaxListeners(0)
process.setMaxListeners(0)
let root = ''
let touched = 0
let deathAt = 0

function touches(args) {
  return args.some((arg) => typeof arg === 'string' && arg.startsWith(root))
}

for (const name of ['open', 'link', 'unlink', 'mkdir', 'rename']) {
  const real = fs.promises[name]
  fs.promises[name] = async (...args) => {
    if (root === '' || !touches(args)) return real(...args)
    touched++
    if (touched === deathAt) process.kill(process.pid, 'SIGKILL')
    const result = await real(...args)
    if (touched === -deathAt) process.kill(process.pid, 'SIGKILL')
    return result
  }
}
syncBuiltinESMExports()

let text = ''
for (const stream of [process.stdout, process.stderr])
  stream.write = (chunk, ...more) => {
    text += chunk
    process.send?.({ text: String(chunk) })
    const done = more.findLast((one) => typeof one === 'function')
    done?.()
    return true
  }

const { main } = await import('../../dist/cli/main.js')

process.on('message', async ({ argv, folder, death }) => {
  root = folder
  touched = 0
  deathAt = death
  text = ''
  const code = await main(['node', 'moraine', ...argv]).catch((error) => {
    text += `\n${error.stack}`
    return 70
  })
  root = ''
  process.send({ code, touched, text })
})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.send({ ready: true })
