import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Project, repository } from '../support/project.js'

const child = join(repository, 'test/support/children/export-until.ts')

/** An export in a process of its own, which kills itself at a point. */
export const exported = (project: Project, ...args: string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', child, project.folder, ...args], {
    cwd: repository,
  }).then(
    ({ stdout }) => ({ stdout, signal: null }),
    (error: { stdout: string; stderr: string; signal: string | null }) => error,
  )
