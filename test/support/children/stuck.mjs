// A child that is busy for ever in the way that its first argument says; it names its process
// first.
import { once } from 'node:events'
import { register } from 'tsx/esm/api'

register()
const { watchParent } = await import('../../../src/process/watchdog.ts')

const watchdog = watchParent()
const [, , , how, memory] = process.argv
watchdog.limitMemory(Number(memory ?? 0))
await new Promise((sent) => process.send(process.pid, sent))
if (how === 'idle') await once(process, 'nothing')
// In native code that nothing interrupts.
if (how === 'asleep') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
if (how === 'busy') for (;;);
if (how === 'greedy') for (const all = []; ; ) all.push(Buffer.alloc(2 ** 22, 1))
