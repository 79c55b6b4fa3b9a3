import type { Context } from 'hono'
import type { Principal } from '../../../define/access/principal.js'
import type { Secret } from '../../../define/source.js'
import type { AuditedCall } from '../../../query/audit/call.js'

/** What an Iceberg REST catalog needs beside a storage. */
export interface CatalogOptions {
  /** Whoever shows it may read and write everything, beside what `access` grants. */
  token?: Secret | undefined
  /**
   * Who may do what, as `access` of `lake.ts` has it. Without it and without a token, everybody may
   * read and nobody may write.
   */
  access?: readonly Principal[] | undefined
  /** Datasets of `lake.ts` that say `writes: 'allow'`, by their full names: `silver.orders`. */
  writable?: readonly string[]
  /** Prefixes of locations outside of the lake that tables may lie under: `file:///tmp`. */
  allowLocations?: readonly string[]
  /**
   * Clients that ask for it, and have shown the token, are given temporary credentials for one
   * table, or have their requests signed, where the storage can do so; yes, where nothing is said.
   */
  credentials?: boolean
  /**
   * Whether a request comes from this machine, and so can open the files of a lake in a folder;
   * others are refused there. By default what Node's server says of the connection.
   */
  isLocal?: (c: Context) => boolean
  /**
   * Hears of each call once it is answered. Without it calls are kept in the lake's audit trail,
   * which `moraine audit` shows.
   */
  onCall?: (call: AuditedCall) => void
  /** Whether a proxy in front of it says where calls come from (`X-Forwarded-For`). */
  behindProxy?: boolean
  /** Hears of what went wrong inside; whoever asked is told only that something did. */
  onError?: (error: unknown) => void
}
