import { quoteText } from '../../define/sql/sql.js'
import { writtenTree } from '../../plan/ast.js'
import type { BoundTable, Parser } from '../engine.js'
import { boundPlan } from './bound-plan.js'
import { hasOtherSpaces, placedIn, withPlainSpaces } from './plain-spaces.js'
import type { Statements } from './statements.js'

/** DuckDB's own parser. */
export class DuckDBParser implements Parser {
  constructor(private readonly statements: Statements) {}

  async tree(sql: string): Promise<string> {
    const nul = nulIn(sql)
    if (nul) return nul
    const tree = await this.serialized(sql)
    return hasOtherSpaces(sql) ? (await this.placing(sql, tree))(tree) : tree
  }

  async trees(texts: readonly string[]): Promise<string[]> {
    const asked = texts.filter((text) => !nulIn(text))
    const list = asked.map(quoteText).join(', ')
    const rows = asked.length === 0 ? [] : await this.statements.rows(serialize(list))
    const trees = await Promise.all(
      rows.map(async ({ tree }, i) => {
        const [said, text = ''] = [asJson(String(tree)), asked[i]]
        return hasOtherSpaces(text) ? (await this.placing(text, said))(said) : said
      }),
    )
    const all = trees.values()
    return texts.map((text) => nulIn(text) ?? String(all.next().value))
  }

  async text(expression: unknown): Promise<string> {
    const node = {
      type: 'SELECT_NODE',
      modifiers: [],
      cte_map: { map: [] },
      select_list: [expression],
      from_table: { type: 'EMPTY', alias: '', sample: null, query_location: 0 },
      where_clause: null,
      group_expressions: [],
      group_sets: [],
      aggregate_handling: 'STANDARD_HANDLING',
      having: null,
      sample: null,
      qualify: null,
    }
    const tree = writtenTree({ error: false, statements: [{ node, named_param_map: [] }] })
    const [row] = await this.statements.rows(`SELECT json_deserialize_sql(${quoteText(tree)}) AS t`)
    return String(row?.t).replace(/^SELECT /, '')
  }

  async boundPlan(sql: string, tables: readonly BoundTable[]): Promise<unknown> {
    const placed = hasOtherSpaces(sql)
      ? await this.placing(sql, await this.serialized(sql))
      : (said: string) => said
    return boundPlan(sql, tables, placed)
  }

  private async serialized(sql: string): Promise<string> {
    const [row] = await this.statements.rows(
      `SELECT CAST(json_serialize_sql(${quoteText(sql)}) AS VARCHAR) AS tree`,
    )
    return asJson(String(row?.tree))
  }

  /**
   * Gives what the parser says of a text the places that things have in this text, rather than in
   * one with other spaces; where that text is not certain, none.
   *
   * @param tree what it says of all of the text.
   */
  private async placing(sql: string, tree: string): Promise<(said: string) => string> {
    const { text, before } = withPlainSpaces(sql)
    const isSame = text === sql || (await this.serialized(text)) === tree
    return (said) => placedIn(said, isSame ? before : undefined)
  }
}

const serialize = (list: string) =>
  `SELECT CAST(json_serialize_sql(t) AS VARCHAR) AS tree FROM (SELECT unnest([${list}]) AS t)`

/**
 * What is no JSON in what the engine writes for numbers beyond all others, as JSON that means it.
 */
const asJson = (tree: string) =>
  tree.includes('Infinity')
    ? tree.replace(/"(?:[^"\\]|\\.)*"|Infinity/g, (one) => (one === 'Infinity' ? '1e999' : one))
    : tree

/** What the parser would say of a text with a NUL in it, where the engine would take it to end. */
function nulIn(text: string): string | undefined {
  const at = text.indexOf('\0')
  if (at < 0) return undefined
  return JSON.stringify({
    error: true,
    error_type: 'parser',
    error_message: 'SQL cannot contain a NUL character',
    position: String(Buffer.byteLength(text.slice(0, at))),
  })
}
