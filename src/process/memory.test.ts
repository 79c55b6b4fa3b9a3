import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
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
  ['another system', '', {}, undefined],
])('%s', async (_, cgroup, files, expected) => {
  expect(await allowed(cgroup, files)).toBe(expected)
})

it('is never more than the machine has', () => {
  expect(machineMemory()).toBeGreaterThan(0)
  expect(machineMemory()).toBeLessThanOrEqual(totalmem())
})
