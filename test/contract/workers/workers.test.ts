import { Processes } from '../../../src/engine/workers/processes.js'
import { environment } from '../../../src/settings.js'
import { workersSuite } from './suite.js'

workersSuite({
  name: 'processes of this machine',
  open: async ({ command, ...options }) =>
    new Processes({ ...options, command: { argv: command, env: environment() } }),
  ahead: 0,
})
