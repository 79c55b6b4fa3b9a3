import type { Principal } from '../principals.js'

/** Who asks for something. */
export interface Caller {
  principal: Principal
  /** By which a request is known that comes again. */
  request?: RequestKey | undefined
}

/** A key that a client gave a request, and the SHA-256 of what it asks for, in hex. */
export interface RequestKey {
  key: string
  sha256: string
}
