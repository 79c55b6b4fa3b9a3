import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { expect, it, onTestFinished } from 'vitest'
import { repository } from '../support/project.js'

it('says at the deployment which client of a warehouse is not installed', async () => {
  // Clients of AWS and PostgreSQL are installed there, and no others.
  const alone = await mkdtemp(join(tmpdir(), 'moraine-peers-'))
  onTestFinished(() => rm(alone, { recursive: true }))
  await mkdir(join(alone, 'node_modules'))
  for (const name of ['@aws-sdk', 'pg'])
    await symlink(join(repository, 'node_modules', name), join(alone, 'node_modules', name))
  const file = join(alone, 'needed.mjs')
  buildSync({
    entryPoints: [join(repository, 'src/aws/package/needed-peers.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  })
  const told = (kind: string, afterRuns = true) =>
    execFileSync(process.execPath, ['--input-type=module'], {
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
      input: `
        const { neededPeers } = await import(${JSON.stringify(file)})
        const exports = [{ afterRuns: ${afterRuns}, target: { kind: '${kind}' } }]
        const found = await neededPeers({ datasets: [], exports, deploy: {} }).catch((error) => error)
        console.log(found.message ?? [...found.beside.keys()].join(' '))`,
    }).trim()
  expect(told('sqlserver')).toContain('A SQL Server database needs the package mssql')
  expect(told('mysql')).toContain('A MySQL database needs the package mysql2')
  expect(told('postgres')).toContain('A PostgreSQL database needs the package pg-copy-streams')
  expect(told('redshift')).toBe('pg')
  expect(told('sqlserver', false)).toBe('pg')
  expect(told('folder')).toBe('pg')
})
