// Starts a child, prints the number of its process, and then waits, or is busy itself.
import { once } from 'node:events'
import { register } from 'tsx/esm/api'

register()
const { endingOf, startChild } = await import('../../../src/process/child.ts')

const [, , how, busy] = process.argv
const child = startChild(new URL('./stuck.mjs', import.meta.url), { args: [how] })
child.once('exit', () => console.log(`gone ${endingOf(child)}`))
const [pid] = await once(child, 'message')
await new Promise((done) => process.stdout.write(`${pid}\n`, done))
if (busy) for (;;);
await once(process, 'nothing')
