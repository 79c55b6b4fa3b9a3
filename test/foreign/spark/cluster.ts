import { type ChildProcess, execFileSync } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { endChild } from '../../../src/process/child.js'
import { repository } from '../../support/project.js'
import { freePort } from '../../support/servers.js'
import { listening } from './sparks.js'
import { startPart } from './standalone.js'

/*
 * A cluster of several hosts on one machine: network namespaces, each with an address, a host name
 * and folders for temporary files of its own, in which the checkout can't be seen. They share what
 * an image of such hosts would have: Java, and Python with pyspark.
 */

/** Names and addresses that no other test has at the same time. */
const unique = process.pid % 200

export const driverHost = `10.${unique}.77.1`

/** What hosts of a network need of this machine. */
export const netPrograms = [
  process.getuid?.() === 0 ? '/usr/bin/unshare' : undefined,
  '/usr/sbin/ip',
]

export interface Cluster {
  master: string
  /** Ends all processes of a host, as when it loses power. */
  kill(host: number): Promise<void>
}

const ip = (...args: string[]) => execFileSync('/usr/sbin/ip', args)

/** The network that hosts are to have, with this machine at {@link driverHost}. */
export function startNetwork(): void {
  const bridge = `moraine${unique}`
  ip('link', 'add', bridge, 'type', 'bridge')
  onTestFinished(() => void ip('link', 'del', bridge))
  ip('addr', 'add', `${driverHost}/24`, 'dev', bridge)
  ip('link', 'set', bridge, 'up')
}

/** @param env what all processes of the hosts have of their own: such as credentials. */
export async function startCluster(hosts: number, env: NodeJS.ProcessEnv): Promise<Cluster> {
  const port = await freePort()
  const master = `spark://${driverHost}:${port}`
  startPart({ name: 'master.Master', args: ['--host', driverHost, '--port', `${port}`] })
  await listening(port, driverHost)
  const workers: ChildProcess[] = []
  for (let host = 1; host <= hosts; host++) {
    const space = addHost(host)
    const asHost = ['/usr/sbin/ip', 'netns', 'exec', space, 'unshare', '-m', '-u', '-p', '-f']
    const prepare = [
      `hostname host${host}`,
      'mount -t tmpfs none /tmp',
      `mkdir -p ${repository}`,
      `mount -t tmpfs none ${repository}`,
      `echo "127.0.0.1 localhost\n${addressOf(host)} host${host}" > /tmp/hosts`,
      'mount --bind /tmp/hosts /etc/hosts',
      'cd /tmp',
      'exec "$@"',
    ].join(' && ')
    const args = ['-c', '1', '-m', '1g', '-h', addressOf(host), '-d', '/tmp', master]
    const within = [...asHost, '--kill-child', '--mount-proc', 'sh', '-c', prepare, 'sh']
    workers.push(startPart({ name: 'worker.Worker', args, within, env }))
  }
  return { master, kill: (host) => endChild(workers[host - 1] as ChildProcess) }
}

const addressOf = (host: number) => `10.${unique}.77.${host + 1}`

function addHost(host: number): string {
  const space = `moraine${unique}h${host}`
  ip('netns', 'add', space)
  onTestFinished(() => void ip('netns', 'del', space))
  const [here, there] = [`m${unique}h${host}`, `m${unique}t${host}`]
  ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', space)
  ip('link', 'set', here, 'master', `moraine${unique}`, 'up')
  ip('-n', space, 'addr', 'add', `${addressOf(host)}/24`, 'dev', there)
  ip('-n', space, 'link', 'set', there, 'up')
  ip('-n', space, 'link', 'set', 'lo', 'up')
  return space
}
