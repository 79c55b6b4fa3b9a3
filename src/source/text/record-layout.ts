import type { FilesSource } from '../../define/source.js'

/** What a reader of records has to know of how a text is laid out. */
export type RecordLayout = Pick<FilesSource, 'delimiter' | 'quote' | 'comment' | 'escape'> &
  Partial<Pick<FilesSource, 'nulls'>>
