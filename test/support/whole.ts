import { expect } from 'vitest'
import type { Project } from './project.js'

/** What the lake says once all is done: the log, the files, and what nobody needs. */
export async function isWhole(project: Project): Promise<void> {
  for (const args of [
    ['verify', '--deep'],
    ['vacuum', '--grace', '0s', '--delete'],
    ['verify', '--deep'],
  ]) {
    const { code, stdout, stderr } = await project.cli(...args)
    expect(code, `${stdout}\n${stderr}`).toBe(0)
  }
}
