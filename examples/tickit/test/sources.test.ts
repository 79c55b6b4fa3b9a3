import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mariadbProgram, postgresPrograms } from '../../../test/support/servers.js'
import { withService } from '../../../test/support/services.js'
import { startSqlServer } from '../../../test/support/sql-server.js'
import { generate } from '../generate/main.js'

const example = join(import.meta.dirname, '..')
const tsx = createRequire(import.meta.url).resolve('tsx/cli')

/** Runs the demo; the double of SQL Server answers meanwhile. */
function demo(env: Record<string, string>): Promise<{ output: string; code: number | null }> {
  const child = spawn(process.execPath, [tsx, 'demo-sources.ts'], {
    cwd: example,
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += bytes
    })
  return new Promise((resolve) => child.on('close', (code) => resolve({ output, code })))
}

withService('TICKIT in PostgreSQL and MariaDB', [postgresPrograms, mariadbProgram], () => {
  it.each(['avro', 'csv'])(
    'and a double of SQL Server, by way of %s, is the same lake as from files',
    async (format) => {
      const folder = mkdtempSync(join(tmpdir(), 'tickit-sources-'))
      const server = await startSqlServer()
      try {
        await generate(join(folder, 'data'))
        const { output, code } = await demo({
          TICKIT_DATA: join(folder, 'data'),
          TICKIT_LAKES: folder,
          TICKIT_BRONZE: format,
          TICKIT_SQLSERVER_URL: server.url,
        })
        expect({ output, code }).toEqual({ output: expect.any(String), code: 0 })
        expect(output).toMatch(/SQL Server +crm\.users +50,0\d\d rows/)
        expect(output).toMatch(/silver\.sales +172,456 rows/)
        expect(output).toMatch(/silver\.users +49,990 rows/)
        expect(output).toMatch(/gold\.top_sellers +\d+ rows/)
        expect(output).toMatch(/✔ bronze\.sales +1 row /)
        const files = readdirSync(join(folder, 'lake-databases/bronze'), { recursive: true })
        const endings = new Set(files.flatMap((file) => /\.(\w+)$/.exec(String(file))?.[1] ?? []))
        expect([...endings].sort()).toEqual([format, 'json'])
      } finally {
        await server.stop()
        rmSync(folder, { recursive: true, force: true })
      }
    },
  )
})
