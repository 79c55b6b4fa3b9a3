#!/usr/bin/env node
if (process.argv.includes('query')) (await import('../dist/query/spawn.js')).startAhead()
const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv)
