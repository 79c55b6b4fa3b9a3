import type { Principal } from '../principals.js'

/** Who asks for something. */
export interface Caller {
  principal: Principal
  /** By which a request is known that comes again. */
  request?: RequestKey | undefined
  /** What the audit trail is told of the request. */
  noted?: Noted
}

/** A key that a client gave a request, and the SHA-256 of what it asks for, in hex. */
export interface RequestKey {
  key: string
  sha256: string
}

/** What becomes known of a request while it is answered. */
export interface Noted {
  principal?: string
  /** Namespaces, tables and views that it is about. */
  names: Set<string>
  branch?: string
  /** The commit that it made. */
  commit?: number
  /** What it was refused for. */
  error?: string
  /** The same in words. */
  reason?: string
}
