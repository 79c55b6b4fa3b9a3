import base from './vitest.config.js'
;(base as any).test.setupFiles.unshift('/tmp/suite/cpu.ts')
export default base
