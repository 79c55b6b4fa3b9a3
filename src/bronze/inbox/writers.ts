import { readdir, readFile, readlink } from 'node:fs/promises'
import { sep } from 'node:path'
import { textOf } from '../../source/files/walk.js'

/** Flags of `open(2)` that let a process write. */
const WRITES = 0o3

/**
 * The files below a folder that a process of this machine has open for writing, as far as the
 * system tells: Linux does, of the processes of the same user. Elsewhere none.
 */
export async function openForWriting(folder: string): Promise<Set<string>> {
  const found = new Set<string>()
  if (process.platform !== 'linux') return found
  const below = `${folder}${sep}`
  const processes = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  await Promise.all(
    processes.map(async (pid) => {
      const open = await readdir(`/proc/${pid}/fd`).catch(() => [])
      for (const fd of open) {
        const link = `/proc/${pid}/fd/${fd}`
        const bytes = await readlink(link, { encoding: 'buffer' }).catch(() => undefined)
        const path = bytes ? textOf(bytes) : ''
        if (!path.startsWith(below)) continue
        const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8').catch(() => '')
        const flags = /^flags:\s*(\d+)/m.exec(info)?.[1] ?? '0'
        if ((Number.parseInt(flags, 8) & WRITES) !== 0) found.add(path)
      }
    }),
  )
  return found
}
