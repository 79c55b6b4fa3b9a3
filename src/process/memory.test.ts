import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { groupMemory, machineMemory } from './memory.js'

/** What the groups of a process allow, where the system has such files. */
async function allowed(cgroup: string, files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'cgroup'), cgroup)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'groups', path)), { recursive: true })
    await writeFile(join(folder, 'groups', path), content)
  }
  return groupMemory(join(folder, 'cgroup'), join(folder, 'groups'))
}

it.each<[string, string, Record<string, string>, number | undefined]>([
  ['a container', '0::/\n', { 'memory.max': '1073741824\n' }, 2 ** 30],
  ['no limit', '0::/\n', { 'memory.max': 'max\n' }, undefined],
  [
    'a group in one that allows less',
    '0::/a.slice/b.scope\n',
    { 'a.slice/memory.max': '500000\n', 'a.slice/b.scope/memory.max': '900000\n' },
    500_000,
  ],
  [
    'a limit that slows down first',
    '0::/a\n',
    { 'a/memory.max': 'max', 'a/memory.high': '7000' },
    7000,
  ],
  [
    'the first version',
    '9:name=systemd:/\n4:memory:/docker/x\n0::/\n',
    { 'memory/docker/x/memory.limit_in_bytes': '2000000\n' },
    2_000_000,
  ],
  [
    'the first version in a container, which sees its group as the topmost one',
    '5:cpu,memory:/docker/x\n',
    { 'memory/memory.limit_in_bytes': '3000000\n' },
    3_000_000,
  ],
  [
    'both versions beside each other',
    '4:memory:/docker/x\n0::/docker/x\n',
    {
      'memory/docker/x/memory.limit_in_bytes': '9223372036854771712\n',
      'unified/docker/x/memory.max': '4000000\n',
    },
    4_000_000,
  ],
  ['another system', '', {}, undefined],
])('%s', async (_, cgroup, files, expected) => {
  expect(await allowed(cgroup, files)).toBe(expected)
})

it('is never more than the machine has', () => {
  expect(machineMemory()).toBeGreaterThan(0)
  expect(machineMemory()).toBeLessThanOrEqual(totalmem())
})

/**
 * A group within that of this process, where the machine lets us make one; `undefined` elsewhere.
 */
function realGroup(bytes: number): string | undefined {
  try {
    const groups = readFileSync('/proc/self/cgroup', 'utf8')
    const [, first] = /^\d+:memory:(.*)$/m.exec(groups) ?? []
    const [, second] = /^0::(.*)$/m.exec(groups) ?? []
    const [root, path, file] =
      first === undefined
        ? ['/sys/fs/cgroup', second ?? '/', 'memory.max']
        : ['/sys/fs/cgroup/memory', first, 'memory.limit_in_bytes']
    const folder = join(root, path, `moraine-test-${process.pid}`)
    mkdirSync(folder)
    try {
      writeFileSync(join(folder, file), String(bytes))
      return folder
    } catch {
      rmdirSync(folder)
      return undefined
    }
  } catch {
    return undefined
  }
}

describe('a real group', () => {
  const allowed = 2 ** 30
  const group = realGroup(allowed)
  afterAll(() => group !== undefined && rmdirSync(group))

  it.skipIf(group === undefined)(
    'limits what runs, queries and decoders use without options',
    () => {
      const asks = `
      const { machineMemory } = await import('./src/process/memory.ts')
      const { defaultMemory } = await import('./src/query/limits.ts')
      const { decoderLimits } = await import('./src/source/decoder/limits.ts')
      console.log(JSON.stringify([machineMemory(), defaultMemory(), decoderLimits({}).memory]))`
      const { stdout, stderr } = spawnSync(
        'sh',
        ['-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', group as string].concat(
          process.execPath,
          '--import',
          'tsx',
          '--input-type=module',
          '-e',
          asks,
        ),
        { encoding: 'utf8' },
      )
      expect(stderr).toBe('')
      expect(JSON.parse(stdout)).toEqual([allowed, allowed / 4, allowed / 2])
    },
  )
})
