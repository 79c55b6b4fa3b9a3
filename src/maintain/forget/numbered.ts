import type { InputRelations } from '../../silver/input/types.js'
import type { Relations } from '../../step/relations.js'

/**
 * Rows of bronze with their number in the file that holds them, which no two have in common: of
 * JSON and XML, several are on one line.
 */
export function numbered(relations: Relations): InputRelations {
  return {
    view: relations.view,
    define: (...given) => relations.define(...given),
    bronzeRelation: (...given) => relations.bronzeRelation(...given),
    batchColumns: (pointers) => relations.batchColumns(pointers),
    naming: (pointers) => relations.naming(pointers),
    bronzeParts: async (session, pointers, wanted, marked) => {
      const files = await relations.bronzeFiles(pointers, marked)
      const all = files.map((file) => ({ ...file, numbered: true }))
      return relations.bronzeParts(session, pointers, wanted, marked, all)
    },
    table: (name) => relations.table(name),
  }
}
