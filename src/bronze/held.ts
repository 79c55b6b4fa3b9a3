/** A full extract that was held back: it is not part of the lake. */
export interface Held {
  rows: number
  /** Rows of the extract that stays. */
  before: number
  /** When an extract was first held back in place of that one, ISO. */
  since: string
}
