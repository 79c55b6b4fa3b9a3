/** A call of the catalog, as the audit trail keeps it: never its body, nor a secret. */
export interface AuditedCall {
  /** When it was answered, in ISO 8601. */
  time: string
  /** Who asked; `null` for who did not prove to be a principal. */
  principal: string | null
  /** `POST /v1/{prefix}/namespaces/{namespace}/tables`; `null` for what is no route. */
  route: string | null
  /** Namespaces, tables and views that it was about, as far as it got. */
  names: readonly string[]
  /** The branch that it named. */
  branch?: string
  status: number
  /** What it was refused for: `NoSuchTableException`. */
  error?: string
  /** The same in words, where it was refused to this principal rather than impossible. */
  reason?: string
  milliseconds: number
  /**
   * How many calls this stands for, where it is more than one: an engine has each request for a
   * file of a table signed. Milliseconds are those of all of them.
   */
  calls?: number
  /** The commit that it made. */
  commit?: number
  /** The address that it came from. */
  from?: string
  /** What the client calls itself. */
  client?: string
}

/**
 * Whether a call was refused: for who asked, or because nobody may do such a thing with a table of
 * `lake.ts`.
 */
export const isRefused = ({ status, error }: Pick<AuditedCall, 'status' | 'error'>): boolean =>
  status === 401 || status === 403 || (status === 400 && error === 'IllegalArgumentException')

/** Stands for calls that could not be kept, as storage did not take them. */
export interface LostCalls {
  time: string
  lost: number
}

export type AuditRecord = AuditedCall | LostCalls

/** The folder of the trail: a folder a day, in it an object for each stretch of a server's time. */
export const AUDIT_FOLDER = '_moraine/audit/'
