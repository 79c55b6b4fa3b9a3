#!/usr/bin/env node
// Statements of the engine and calls of files wait in threads of Node, of which there are four
// unless it is told otherwise before the first one starts: so this file is no module.
const { availableParallelism } = require('node:os')
process.env.UV_THREADPOOL_SIZE ??= String(4 + 4 * availableParallelism())

async function start() {
  if (process.argv.includes('query')) (await import('../dist/query/spawn.js')).startAhead()
  const { main } = await import('../dist/cli/main.js')
  process.exitCode = await main(process.argv)
}

start()
