import type { Schema } from './types.js'

/** The columns of a list of deleted rows (spec, Position Delete Files). */
export const positionsSchema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 2147483546, name: 'file_path', required: true, type: 'string' },
    { id: 2147483545, name: 'pos', required: true, type: 'long' },
  ],
}
