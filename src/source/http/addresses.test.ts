import { expect, it } from 'vitest'
import { addressOf, isPrivate } from './addresses.js'

it.each([
  ['this machine', '127.0.0.1', '127.9.9.9', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1'],
  [
    'this machine by an address of IPv4 within IPv6',
    '::127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
  ],
  ['this network', '10.1.2.3', '172.31.0.1', '192.168.1.1', '100.64.0.1', 'fc00::1', 'fec0::1'],
  ['this link', '169.254.169.254', 'fe80::1', 'fe80::1%eth0'],
  ['services of clouds', '168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254'],
  ['tunnels', '2002:7f00:1::', '2002:808:808::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  ['networks that translate for themselves', '64:ff9b:1::7f00:1', '64:ff9b::a00:1'],
  ['many', '224.0.0.1', '239.255.255.250', 'ff02::1', '255.255.255.255'],
  ['nobody', '192.0.2.1', '198.51.100.7', '203.0.113.9', '240.0.0.1', '2001:db8::1', '100::1'],
  ['no address', 'example.org', ''],
])('an address that may lead to %s is private', (_, ...addresses) => {
  expect(addresses.filter((address) => !isPrivate(address))).toEqual([])
})

it('addresses of the Internet are public, through NAT64 too', () => {
  const addresses = [
    '8.8.8.8',
    '172.32.0.1',
    '2606:4700::1111',
    '64:ff9b::808:808',
    '::ffff:8.8.8.8',
  ]
  expect(addresses.filter(isPrivate)).toEqual([])
})

it('an address is known however it is written', () => {
  const hosts = ['0x7f.1', '2130706433', '0177.0.0.1', '127.1', '[::ffff:127.0.0.1]', '[0:0::1]']
  const found = hosts.map((host) => addressOf(new URL(`http://${host}/`)) ?? '')
  expect(found.filter((address) => !isPrivate(address) || address === '')).toEqual([])
})
