#!/usr/bin/env node
import { startAhead } from '../dist/query/spawn.js'

if (process.argv.includes('query')) startAhead()
const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv)
