import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'

/** Addresses that lead to this machine, its network, or its cloud's own services (RFC 6890). */
const own = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
] as const)
  own.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['64:ff9b::', 96],
] as const)
  own.addSubnet(network, bits, 'ipv6')

export function isPrivate(address: string): boolean {
  return own.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

export class PrivateAddress extends Error {
  constructor(host: string) {
    super(`${host} is an address of a private network`)
  }
}

/** The host of a URL, as an address where it is one. */
export function addressOf({ hostname }: URL): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return isIP(bare) ? bare : undefined
}

/** Looks a host up, and fails for addresses of private networks: what a name leads to is known only now. */
export const publicOnly: LookupFunction = (host, options, done) => {
  resolve(host, options, (error, found, family) => {
    const all = Array.isArray(found) ? found.map(({ address }) => address) : [found as string]
    if (!error && all.some(isPrivate)) done(new PrivateAddress(host), '', 0)
    else done(error, found as string, family)
  })
}
