import { text } from '../options/expected.js'
import { having, needed } from '../options/options.js'

/** Tokens of an identity provider that stand for principals (OpenID Connect). */
export interface Oidc {
  /** The provider's address, as its tokens name it: `https://login.example.com`. */
  readonly issuer: string
  /** What tokens must be made for: the id of this lake, or of its API, at the provider. */
  readonly audience: string
  /** The claim that says who it is. Default: `sub`. */
  readonly claim?: string
}

export const oidcOptions = having<Oidc>({
  issuer: needed({
    is: 'an address: https://login.example.com (http only on this machine)',
    fits: (value) => typeof value === 'string' && isAddress(value),
  }),
  audience: needed(text),
  claim: text,
})

function isAddress(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, hostname, username, hash, search } = new URL(value)
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isHere)
  return isSafe && username === '' && hash === '' && search === ''
}
