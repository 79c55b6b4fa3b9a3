import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'

/**
 * Addresses that are not the public Internet's: this machine, its network, its cloud's own services
 * (RFC 6890, RFC 8190).
 */
const special = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  special.addSubnet(network, bits, 'ipv4')

/**
 * Addresses of IPv6 are public within 2000::/3 alone, but for these: Teredo and others of IETF,
 * documentation, 6to4.
 */
const global = new BlockList()
global.addSubnet('2000::', 3, 'ipv6')
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  special.addSubnet(network, bits, 'ipv6')

/**
 * Networks that stand for IPv4 with their last four bytes: mapped (RFC 4291), and translated by
 * NAT64 (RFC 6052).
 */
const carriers = new BlockList()
carriers.addSubnet('64:ff9b::', 96, 'ipv6')
carriers.addSubnet('::ffff:0:0', 96, 'ipv6')

/** Whether an address may lead to this machine, its network or its cloud's own services. */
export function isPrivate(address: string): boolean {
  const [bare = ''] = address.split('%')
  if (!isIPv6(bare)) return !isIP(bare) || special.check(bare, 'ipv4')
  if (carriers.check(bare, 'ipv6')) return special.check(carriedBy(bare), 'ipv4')
  return !global.check(bare, 'ipv6') || special.check(bare, 'ipv6')
}

/** The address of IPv4 in the last four bytes of one of IPv6. */
function carriedBy(address: string): string {
  const { hostname } = new URL(`http://[${address}]`)
  const groups = hostname.slice(1, -1).split(':').slice(-2)
  const [high = 0, low = 0] = groups.map((group) => Number.parseInt(group || '0', 16))
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

export class PrivateAddress extends Error {
  constructor(host: string) {
    super(`${host} is an address of a private network`)
  }
}

/** The host of a URL, as an address where it is one. */
export function addressOf({ hostname }: URL): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  return isIP(bare) ? bare : undefined
}

/**
 * Looks a host up, and fails for addresses of private networks: what a name leads to is known only
 * now.
 */
export const publicOnly: LookupFunction = (host, options, done) => {
  resolve(host, options, (error, found, family) => {
    const all = Array.isArray(found) ? found.map(({ address }) => address) : [found as string]
    if (!error && all.some(isPrivate)) done(new PrivateAddress(host), '', 0)
    else done(error, found as string, family)
  })
}
