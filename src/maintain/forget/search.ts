import { fullName } from '../../define/dataset.js'
import { lookupsOf } from '../../define/inputs.js'
import type { Silver } from '../../define/model.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import { fieldsOfShape } from '../../define/types/schema.js'
import { count } from '../../engine/count.js'
import type { Relation } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { Window } from '../../plan/decision.js'
import { isText } from '../../quality/grammar.js'
import { validate } from '../../silver/validate.js'
import { emptyRelation } from '../../step/expressions.js'
import { identifying, keysAsked, typeOf } from './asked.js'
import {
  type Link,
  linksOf,
  reached,
  readsBronze,
  refuseMadeOfOthers,
  refuseOtherTypes,
} from './links.js'
import { numbered } from './numbered.js'
import type { Asked, Meant, SearchContext } from './options.js'
import { refusal } from './refusal.js'
import { mentions, tells } from './texts.js'

/** What was found of a person. */
export interface Found {
  meant: readonly Meant[]
  /** Datasets that were looked through, whether they have such rows or not. */
  looked: readonly Silver[]
  /** Values that identify the person, as texts. */
  texts: readonly string[]
}

/** A dataset whose rows are looked through. */
interface Looked {
  dataset: Silver
  /** Identifying values and places of all rows in bronze, and what could not be read of them. */
  rows: Relation
  conditions: Map<string, string>
  /** Those of them that look at nothing but its key. */
  ofKey: Map<string, string>
  /** Rows that the conditions meant when others were last looked for by their values. */
  followed: number
  /** SQL over a row `r` of bronze whether it may be theirs as well as somebody else's. */
  doubt: string
  /**
   * SQL for what was asked about, as rows of it: others may refer to what is not there any more.
   */
  asked: string[]
}

/**
 * Finds the rows that are about a person: in the dataset that is asked about by its key, in others
 * by the values of those rows that their columns refer to. Bronze is validated as a step of silver
 * validates it, so that a value is found however it was spelt, whatever became of its row.
 */
export class Search {
  private readonly looked = new Map<Silver, Looked>()

  constructor(
    private readonly context: SearchContext,
    private readonly asked: Asked,
  ) {}

  async find(): Promise<Found> {
    const { lake, session } = this.context
    const { dataset } = this.asked
    const links = linksOf(lake, dataset)
    const found = reached(dataset, links)
    refuseMadeOfOthers(dataset, found)
    refuseOtherTypes(links, found)
    for (const one of found) if (readsBronze(one)) this.looked.set(one, await this.look(one, links))
    for (const one of this.looked.values()) await this.refuseUnread(one)
    const first = this.looked.get(dataset) as Looked
    const keys = await keysAsked(session, this.asked, await this.sources(first, ''))
    first.conditions.set('key', exists(keys, dataset.key))
    first.ofKey.set('key', exists(keys, dataset.key))
    first.asked.push(this.asRows(dataset, keys))
    await this.addUnkeyed(first, keys)
    await this.follow(links)
    const texts = await this.texts(first)
    const all: Meant[] = []
    for (const one of this.looked.values())
      if (one.conditions.size > 0) all.push(await this.meant(one, texts))
    return { meant: all, looked: [...this.looked.keys()], texts }
  }

  /** Goes from rows that are meant to those that refer to them, until there are no more. */
  private async follow(links: readonly Link[]): Promise<void> {
    for (let more = true; more; ) {
      more = false
      for (const one of this.looked.values()) {
        if (one.conditions.size === 0) continue
        const theirs = await this.sources(one, `WHERE ${conditionOf(one)}`)
        const values = [...one.asked, ...theirs].join('\nUNION ALL\n')
        const n = await count(this.context.session, `SELECT count(*) AS n FROM (${values})`)
        if (n === one.followed) continue
        one.followed = n
        more = true
        for (const link of links) if (link.of === one.dataset) await this.followOne(link, values)
      }
    }
  }

  private async followOne(link: Link, values: string): Promise<void> {
    const other = this.looked.get(link.dataset)
    if (!other) return
    const { columns, of, targets } = link
    const shown = targets.map((target, i) => {
      return `${quoteName(target)} AS ${quoteName(columns[i] as string)}`
    })
    const given = targets.map((target) => this.isGiven(of, target))
    const relation = await this.context.session.materialize(
      `SELECT DISTINCT ${shown.join(', ')} FROM (${values}) AS r WHERE ${given.join(' AND ')}`,
    )
    await this.refuseShared(link, relation)
    const by = `${columns} ${fullName(of)}.${targets}`
    other.conditions.set(by, exists(relation, columns))
    if (isOfKey(link)) other.ofKey.set(by, exists(relation, columns))
  }

  /** Rows that refer to a value which others have as well may be those of the others. */
  private async refuseShared(link: Link, values: Relation): Promise<void> {
    const { dataset, columns, of, targets } = link
    const list = (names: readonly string[]) => names.map(quoteName).join(', ')
    const [there, other] = [of, dataset].map((one) => this.looked.get(one)) as [Looked, Looked]
    const others = await this.sources(there, `WHERE NOT ${conditionOf(there)}`)
    const referring = await this.sources(other, `WHERE ${exists(values, columns)}`)
    const union = (sources: readonly string[]) => sources.join('\nUNION ALL\n')
    const all = [
      `SELECT ${list(columns)} FROM (${union(referring)})`,
      ...(isOfKey(link) ? await this.gone(dataset, `WHERE ${exists(values, columns)}`) : []).map(
        (gone) => `SELECT ${list(columns)} FROM (${gone})`,
      ),
    ]
    const shared = `SELECT ${list(targets)} FROM (${union(others)}) INTERSECT SELECT * FROM (${union(all)})`
    const n = await count(this.context.session, `SELECT count(*) AS n FROM (${shared})`)
    if (n === 0) return
    const [column, target] = [columns.join(', '), targets.join(', ')]
    const isPart = of.key.length > 1 && targets.every((name) => of.key.includes(name))
    const whole = isPart
      ? `list the whole key under identifies (${of.key.join(', ')}, in columns of these names), `
      : ''
    throw new MoraineError(
      'usage',
      `${fullName(dataset)}.${column} has values of ${fullName(of)}.${target} that rows which stay have as well, so it can't be told whose rows of ${fullName(dataset)} are meant`,
      {
        hint: `Give those who share it values of their own where ${fullName(of)} comes from, name all of them by --where, ${whole}or do without this link in lake.ts: its references check, or ${column} under identifies. Nothing was changed.`,
      },
    )
  }

  /** SQL whether a row `r` has a value in a column that may be somebody's. */
  private isGiven(dataset: Silver, column: string): string {
    const value = `r.${quoteName(column)}`
    const { texts } = this.context.session.dialect
    const blank = isText(typeOf(dataset, column))
      ? ` AND ${texts.trim(value, quoteText(' \t'))} <> ''`
      : ''
    return `${value} IS NOT NULL${blank}`
  }

  /**
   * Rows of the asked dataset without a key that could be read are found by the condition that was
   * given, and by values of the person's that nobody who stays has.
   */
  private async addUnkeyed(first: Looked, keys: Relation): Promise<void> {
    const { dataset, conditions } = first
    const { where } = this.asked
    const own = (name: string) => `r.${quoteName(name)}`
    const unkeyed = dataset.key.map((name) => `${own(name)} IS NULL`).join(' OR ')
    if (where !== undefined)
      conditions.set('where', `((${unkeyed}) AND coalesce((${where}\n), false))`)
    const isTheirs = `((${unkeyed}) AND ${hasRest(keys, dataset.key)})`
    const [alone, any]: [string[], string[]] = [[], []]
    for (const name of dataset.identifies.filter((column) => !dataset.key.includes(column))) {
      alone.push(exists(await this.valuesOf(first, name, `NOT ${isTheirs}`), [name]))
      any.push(exists(await this.valuesOf(first, name), [name]))
    }
    if (alone.length === 0) return
    conditions.set('identifies', `(${isTheirs} AND (${alone.join(' OR ')}))`)
    first.doubt = `((${unkeyed}) AND (${any.join(' OR ')}))`
  }

  /** Values of a column in rows that are meant; without those of others, if they are told. */
  private async valuesOf(one: Looked, column: string, others?: string): Promise<Relation> {
    const select = async (where: string) => {
      const rows = await this.sources(one, `WHERE ${where}`)
      return `SELECT r.${quoteName(column)} FROM (${rows.join('\nUNION ALL\n')}) AS r WHERE ${this.isGiven(one.dataset, column)}`
    }
    const condition = conditionOf(one)
    const mine = await select(condition)
    const except = others ? `EXCEPT ${await select(`NOT ${condition} AND ${others}`)}` : ''
    return this.context.session.materialize(`SELECT * FROM (${mine}) ${except}`)
  }

  /** SQL for keys with the other columns that rows are found by, which they have no values of. */
  private asRows(dataset: Silver, { sql }: Relation): string {
    const { values } = this.context.session.dialect
    const columns = this.columns(dataset).map((name) =>
      dataset.key.includes(name)
        ? quoteName(name)
        : `CAST(NULL AS ${values.type(typeOf(dataset, name))}) AS ${quoteName(name)}`,
    )
    return `SELECT ${columns.join(', ')} FROM ${sql}`
  }

  /** SQL for the identifying columns of a dataset's rows: in bronze, its table, and its history. */
  private async sources({ dataset, rows }: Looked, where: string): Promise<string[]> {
    const { relations, session, state } = this.context
    const names = this.columns(dataset).map(quoteName).join(', ')
    const tables = [fullName(dataset), `history.${dataset.name}`].filter(
      (name) => state.tables[name],
    )
    const found = [`SELECT ${names} FROM ${rows.sql} AS r ${where}`]
    for (const name of tables) await this.refuseOlder(dataset, name)
    for (const name of tables)
      found.push(
        `SELECT ${names} FROM (${await relations.tableRelation(session, name)}) AS r ${where}`,
      )
    return found
  }

  /** SQL for keys of a dataset that are gone, of which nothing else may be there any more. */
  private async gone({ name }: Silver, where: string): Promise<string[]> {
    const { relations, session, state } = this.context
    const found: string[] = []
    for (const table of KEYS_ALONE.map((folder) => `${folder}.${name}`))
      if (state.tables[table])
        found.push(`SELECT * FROM (${await relations.tableRelation(session, table)}) AS r ${where}`)
    return found
  }

  /** A table may have been built by a definition without some of the columns. */
  private async refuseOlder(dataset: Silver, name: string): Promise<void> {
    const fields = (await this.context.relations.table(name))?.schema.fields ?? []
    const other = this.columns(dataset).find((column) => !fields.some((f) => f.name === column))
    if (other)
      throw new MoraineError('usage', `${name} has no column ${other} yet`, {
        hint: 'Bring it up to date first: moraine run. Nothing was changed.',
      })
  }

  /** Of a file that could not be read, bronze has one row without a line; its bytes are kept. */
  private async refuseUnread({ dataset, rows }: Looked): Promise<void> {
    const kept = 'the whole file, kept at '
    const [found] = await this.context.session.rows(
      `SELECT _source_file AS f, _batch AS b, _raw AS r FROM ${rows.sql} WHERE _unread AND _raw LIKE ${quoteText(`${kept}_%`)} ORDER BY 2, 1 LIMIT 1`,
    )
    if (!found) return
    const path = String(found.r).slice(kept.length)
    const bronze = dataset.from.map(fullName).join(' or ')
    const beside = await count(
      this.context.session,
      `SELECT count(*) AS n FROM ${rows.sql} WHERE _batch = ${quoteText(String(found.b))} AND _source_file <> ${quoteText(String(found.f))}`,
    )
    const others =
      beside > 0
        ? ` Its other files go with it (${beside === 1 ? '1 row' : `${beside} rows`}): bring those again under other names.`
        : ''
    throw refusal(
      `${found.f} could not be read, is kept at ${path}, and may hold such rows`,
      `Discard the batch that it is in: moraine discard-batch ${bronze} ${found.b}.${others}`,
    )
  }

  private readonly targets = new Map<Silver, Set<string>>()

  /** Its own columns that rows are found by, or that others refer to. */
  private columns(dataset: Silver): string[] {
    const asked = [...identifying(dataset), ...(this.targets.get(dataset) ?? [])]
    return [...new Set(asked)]
  }

  private async look(dataset: Silver, links: readonly Link[]): Promise<Looked> {
    const own = links.flatMap((link) => [
      ...(link.dataset === dataset ? link.columns : []),
      ...(link.of === dataset ? link.targets : []),
    ])
    this.targets.set(dataset, new Set(own))
    const names = this.columns(dataset).map(quoteName).join(', ')
    const rows = await this.context.session.materialize(
      `SELECT ${names}, _batch, _source_file, _source_line, (_error IS NOT NULL) AS _unread, CASE WHEN _reasons IS NOT NULL THEN _raw END AS _raw FROM ${await this.validated(dataset)}`,
    )
    const none = { conditions: new Map(), ofKey: new Map(), followed: 0, asked: [] }
    return { dataset, rows, ...none, doubt: 'false' }
  }

  private async validated(dataset: Silver): Promise<string> {
    const { relations, session, state } = this.context
    const windows = dataset.from.map((input): Window => {
      const name = fullName(input)
      const batches = (state.batches[name] ?? []).filter(({ rows }) => rows > 0)
      return { dataset: name, batches }
    })
    if (windows.every(({ batches }) => batches.length === 0)) {
      const lineage = ['_batch', '_source_file', '_raw', '_error'].map((name) => string(name))
      const columns = [
        ...fieldsOfShape(dataset.schema.shape as never),
        ...lineage,
        { name: '_source_line', type: { kind: 'bigint' } } as const,
        string('_reasons'),
      ]
      return `(${emptyRelation(columns, session.dialect)})`
    }
    await relations.define(session, lookupsOf(dataset))
    const decision = { action: 'build', mode: 'incremental', reason: '', windows } as const
    const context = { ...this.context, relations: numbered(relations), careful: true }
    return (await validate(context, session, dataset, decision)).rows.sql
  }

  /** Values of the asked dataset's identifying columns that nobody else has there. */
  private async texts(first: Looked): Promise<string[]> {
    const { session } = this.context
    const found = Object.values(first.dataset.key.length === 1 ? (this.asked.key ?? {}) : {})
    for (const name of identifying(first.dataset)) {
      const { sql } = await this.valuesOf(first, name, 'true')
      const rows = await session.rows(`SELECT CAST(${quoteName(name)} AS VARCHAR) AS v FROM ${sql}`)
      found.push(...rows.map(({ v }) => String(v)))
    }
    return [...new Set(found)].filter((text) => text.trim() !== '').sort()
  }

  private async meant(one: Looked, texts: readonly string[]): Promise<Meant> {
    const { session } = this.context
    const { dataset, rows } = one
    const { dialect } = session
    const condition = conditionOf(one)
    const none = this.columns(dataset).map((name) => `r.${quoteName(name)} IS NULL`)
    const unreadable = `(r._unread AND ${none.join(' AND ')} AND ${tells(dialect, 'r._raw', texts)})`
    const places = await session.materialize(
      `SELECT DISTINCT r._batch, r._source_file, r._source_line, r._raw, ${unreadable} AS unreadable FROM ${rows.sql} AS r WHERE ${condition} OR ${unreadable}`,
    )
    const [counted] = await session.rows(
      `SELECT count(*) AS n, count(*) FILTER (WHERE unreadable) AS u FROM ${places.sql}`,
    )
    const named = `r._raw IS NOT NULL AND ${none.join(' AND ')} AND ${mentions(dialect, 'r._raw', texts)}`
    const doubtful = await count(
      session,
      `SELECT count(*) AS n FROM ${rows.sql} AS r WHERE NOT ${condition} AND NOT ${unreadable} AND (${one.doubt} OR (${named}))`,
    )
    return {
      dataset,
      condition,
      keyCondition: await this.byKey(one),
      places,
      rows: Number(counted?.n),
      unreadable: Number(counted?.u),
      doubtful,
      shared: await this.isShared(one),
    }
  }

  /**
   * By the keys that its rows have: those in bronze, and of batches that have expired those in the
   * table and its history that no row which stays has. Where neither has the row any more, by what
   * its key says itself.
   */
  private async byKey(one: Looked): Promise<string> {
    const { dataset, ofKey } = one
    if (dataset.key.length === 0) return 'false'
    const names = dataset.key.map(quoteName).join(', ')
    const keys = (sources: readonly string[]) =>
      `SELECT ${names} FROM (${sources.join('\nUNION ALL\n')})`
    const meant = conditionOf(one)
    const [bronze, ...tables] = await this.sources(one, `WHERE ${meant}`)
    const others = await this.sources(one, `WHERE NOT ${meant}`)
    const expired = tables.length > 0 ? `UNION (${keys(tables)} EXCEPT ${keys(others)})` : ''
    const sql = `SELECT DISTINCT ${names} FROM (${bronze}) ${expired}`
    const found = exists(await this.context.session.materialize(sql), dataset.key)
    return `(${[found, ...ofKey.values()].join(' OR ')})`
  }

  private async isShared(one: Looked): Promise<boolean> {
    const { dataset, rows } = one
    if (dataset.key.length === 0) return false
    const condition = conditionOf(one)
    const own = dataset.key.map((name) => `o.${quoteName(name)} = r.${quoteName(name)}`)
    const theirs = `SELECT 1 FROM (SELECT * FROM ${rows.sql} AS r WHERE ${condition}) AS o WHERE ${own.join(' AND ')}`
    const sql = `SELECT count(*) AS n FROM ${rows.sql} AS r WHERE NOT ${condition} AND EXISTS (${theirs})`
    return (await count(this.context.session, sql)) > 0
  }
}

/** Tables that have a dataset's key and none of its other columns. */
const KEYS_ALONE = ['deleted', 'tombstones']

const isOfKey = ({ dataset, columns }: Link) =>
  columns.every((column) => dataset.key.includes(column))

const string = (name: string) => ({ name, type: { kind: 'string' } }) as const

const conditionOf = ({ conditions }: Pick<Looked, 'conditions'>) =>
  `(${[...conditions.values()].join(' OR ')})`

/** SQL that a relation has a row with the values that a row `r` has in some columns. */
function exists({ sql }: Relation, columns: readonly string[]): string {
  const same = columns.map((name) => `k.${quoteName(name)} = r.${quoteName(name)}`)
  return `EXISTS (SELECT 1 FROM ${sql} AS k WHERE ${same.join(' AND ')})`
}

/** Columns of a key of which each may be missing by itself: twice as many cases for each more. */
const FEW = 4

/**
 * SQL whether a relation has a key that agrees with what a row `r` has of its own. One case for
 * each choice of columns that are missing: what is compared in each is then equal, which an engine
 * finds without comparing each row with each key.
 */
function hasRest(keys: Relation, key: readonly string[]): string {
  const isNull = (name: string) => `r.${quoteName(name)} IS NULL`
  if (key.length > FEW) {
    const agrees = key.map(
      (name) => `(${isNull(name)} OR k.${quoteName(name)} = r.${quoteName(name)})`,
    )
    return `EXISTS (SELECT 1 FROM ${keys.sql} AS k WHERE ${agrees.join(' AND ')})`
  }
  const cases = Array.from({ length: 2 ** key.length - 1 }, (_, n) => {
    const there = key.filter((_, i) => (n >> i) & 1)
    const found = there.length > 0 ? exists(keys, there) : `EXISTS (SELECT 1 FROM ${keys.sql})`
    return [...key.filter((name) => !there.includes(name)).map(isNull), found].join(' AND ')
  })
  return `(${cases.join(' OR ')})`
}
