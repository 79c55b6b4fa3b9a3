/*
 * A process that runs commands of the built command line one after the other: most tests are about
 * what a command does, and a process for each takes most of their time to start.
 */
process.setMaxListeners(0)
process.stdout.setMaxListeners(0)
for (const name of ['stdout', 'stderr'])
  process[name].write = (chunk, ...more) => {
    process.send({ [name]: Buffer.from(chunk).toString() })
    more.findLast((one) => typeof one === 'function')?.()
    return true
  }

const { isAtWork, main } = await import('../../../dist/cli/main.js')

process.on('message', async (args) => {
  process.argv.splice(1, Number.POSITIVE_INFINITY, 'moraine', ...args)
  const code = await main(process.argv)
  // What goes on in this process is ended with it, as it is after a command of its own.
  process.send({ code, isLast: isAtWork() })
})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
