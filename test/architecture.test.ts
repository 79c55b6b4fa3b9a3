import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import {
  isArrayLiteralExpression,
  isFunctionLikeDeclaration,
  isNewExpression,
  isObjectLiteralExpression,
  isVariableDeclaration,
  isVariableStatement,
  type Node,
  NodeFlags,
  type SourceFile,
} from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repository } from './support/project.js'
import { spellingsIn } from './support/spellings.js'

const source = join(repository, 'src')

/**
 * The rooms from the top of the house to the bottom, and what happens in each; a room may use those
 * below it.
 */
const floors: Readonly<Record<string, string>>[] = [
  {
    cli: 'one file a command (`commands/`), and how things are shown (`output/`)',
    index: 'what `moraine` exports',
    testing: 'unit tests of datasets; storage in memory and contract suites for connectors',
  },
  {
    aws: 'on AWS: `template/` from `options/`; `deploy/`, change sets; `package/` and `lambda/`, functions; `glue/`, its catalog; `prices/`',
  },
  {
    serve:
      'the daemon: notifications, alerts, metrics; HTTP that takes rows in; `rest/`, the Iceberg REST catalog; `postgres/` and `mcp/`, for BI tools and agents; `aws/`, Athena, Glue, S3 and STS',
  },
  {
    query:
      'proves a SELECT, prunes files, runs it in a process of its own; `openLake`; `service/`, which all protocols ask',
  },
  { load: 'loads `lake.ts`, also in the threads that run its JavaScript; where the lake lies' },
  {
    maintain: 'optimize, vacuum, copy, verify the data, repair',
    schedule: 'when jobs are due, and which process runs them',
  },
  {
    branch: 'what a branch changes: brought to main’s newest state, compared row by row, published',
    catalog: 'describes datasets; crawls folders, databases and layers',
    export: 'loads tables into warehouses, each with the record of what was loaded',
  },
  { run: 'binds a definition, executes its steps, publishes what they built' },
  { gold: 'computes queries, by partitions where that is proved; views' },
  { silver: 'validates rows, finds the latest of each key, merges; history, tombstones, replay' },
  { bronze: 'ingests files, databases, APIs, requests; batches, quarantine, rebuild' },
  { step: 'what steps share: relations, batches, writing tables, checks, retention, events' },
  {
    source: 'what users declare (`declare/`), and how files, databases and APIs are read',
    'sql-file': 'SQL that stands in a file',
  },
  { engine: 'the interface, `duckdb/`, and `workers/`, which carry steps out elsewhere' },
  { log: 'commits, their fold to a state, checkpoints, branches, conflicts, verify' },
  { iceberg: 'a version of a table: scan, deletes, manifests, snapshots; `spec/` is pure' },
  {
    plan: 'graph and state → what is to be done and why; what a new definition costs; proofs',
    sql: 'what SQL of people and programs may read and call; `guard` proves it on the tree; `trino/`, from its dialect',
  },
  {
    quality: 'Zod and rules → SQL checks; the grammar of types; JavaScript where SQL is not exact',
  },
  { process: 'starts processes of ours, which end with their parent; ends this one' },
  {
    storage: 'the interface, a local folder, S3, memory; calls that are tried again',
    define: 'lake, datasets, types, SQL templates, partitions, schedules; finds mistakes',
  },
  {
    errors: 'errors with their place and what to do',
    home: 'where Moraine’s own files lie',
    'own-value': 'what a record has under a name that data gave',
    recent: 'maps that hold the newest values alone',
    peers: 'imports optional packages; says what to install',
    secrets: 'finds secrets in texts',
    settings: 'what is read of the environment, by nobody else',
    signals: 'ends work from outside, for any number of listeners',
    threads: 'threads that are started when there is work for them',
  },
]

/** Types that a lower room may take from a higher one: they cost nothing and hold no code. */
const typesOnly = new Set(['plan → log', 'iceberg → quality', 'engine → quality', 'quality → sql'])

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesBelow(path)
    return path.endsWith('.ts') && !path.endsWith('.test.ts') ? [path] : []
  })
}

const files = filesBelow(source)
const roomOf = (path: string) =>
  relative(source, path)
    .split('/')[0]
    ?.replace(/\.[jt]s$/, '') ?? ''
const floorOf = (room: string) => floors.findIndex((rooms) => room in rooms)

interface Import {
  from: string
  to: string
  typeOnly: boolean
  /** Only loaded when it is needed. */
  lazy: boolean
}

const imports: Import[] = files.flatMap((path) => {
  const text = readFileSync(path, 'utf8')
  const found = [
    ...text.matchAll(
      /^(?:import|export)\s+(type\s)?[^'"]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/gms,
    ),
  ]
  return found.map(([, type, fixed, lazy]) => ({
    from: path,
    to: resolve(dirname(path), (fixed ?? lazy) as string).replace(/\.js$/, '.ts'),
    typeOnly: type !== undefined,
    lazy: fixed === undefined,
  }))
})

interface Parsed {
  name: string
  file: SourceFile
}

let parsed: Parsed[]
let functions: ReturnType<typeof functionsOf>
let api: API
beforeAll(() => {
  api = new API({ cwd: repository })
  const config = join(repository, 'tsconfig.json')
  const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)
  parsed = files.map((path) => ({
    name: nameOf(path),
    file: project?.program.getSourceFile(path) as SourceFile,
  }))
  functions = parsed.flatMap(functionsOf)
})
afterAll(() => api.close())

describe('the house', () => {
  it('has a floor for each room', () => {
    expect(files.map(roomOf).filter((room) => floorOf(room) < 0)).toEqual([])
  })

  it('has arrows that point down only', () => {
    const upwards = imports
      .filter(({ from, to }) => floorOf(roomOf(from)) > floorOf(roomOf(to)))
      .filter(
        ({ from, to, typeOnly }) => !(typeOnly && typesOnly.has(`${roomOf(from)} → ${roomOf(to)}`)),
      )
      .filter(({ from }) => !relative(source, from).startsWith('index'))
      .map(({ from, to }) => `${relative(source, from)} → ${relative(source, to)}`)
    expect(upwards).toEqual([])
  })

  it('has pure rooms, which know nothing of the machine', () => {
    const pure = [...pureRooms, 'iceberg/spec'].map((room) => `${join(source, room)}/`)
    const impure = files
      .filter((path) => pure.some((folder) => path.startsWith(folder)))
      .filter((path) => /from 'node:/.test(readFileSync(path, 'utf8')))
    expect(impure.map(nameOf)).toEqual([])
  })

  it('writes files of the user by replaceFile alone, which leaves the old one or the new', () => {
    const writers = files
      .filter((path) => roomOf(path) === 'cli')
      .filter((path) =>
        /\b(writeFile|writeFileSync|createWriteStream)\b/.test(readFileSync(path, 'utf8')),
      )
      .map((path) => relative(source, path))
    expect(writers).toEqual([])
  })

  it('reads the environment in one place', () => {
    const others = files.filter((path) => {
      const code = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
      // What is shown to people as code of theirs is none of ours.
      return /(?<!url: )process\.env\b/.test(code) && relative(source, path) !== 'settings.ts'
    })
    expect(others.map((path) => relative(source, path))).toEqual([])
  })

  it('imports optional packages in one place', () => {
    const { peerDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
    const loaded = new RegExp(
      `(?:^(?:import|export) (?!type\\b)[^'\n]*from |(?<!typeof )(?:import|require)\\()'(?:${Object.keys(peerDependencies).join('|')})`,
      'm',
    )
    const others = files.filter((path) => loaded.test(readFileSync(path, 'utf8')))
    expect(others.map(nameOf)).toEqual(['peers'])
  })

  it('opens the engine by its front door', () => {
    const inside = `${join(source, 'engine/duckdb')}/`
    const others = imports
      .filter(({ from, to }) => to.startsWith(inside) && !from.startsWith(inside))
      .map(({ from, to }) => `${nameOf(from)} → ${nameOf(to)}`)
    expect([...new Set(others.filter((arrow) => !arrow.startsWith('engine/open →')))]).toEqual([])
  })

  it('asks few files what only an engine beside the files can do, and no new ones', () => {
    const asked =
      /\bfiles\.(batches|batchParts|hold|text|parquet|firstRows|writeFile|writeText|addFunction|loads|reach|remote)\(/
    const askers = files.filter((path) => asked.test(readFileSync(path, 'utf8'))).map(nameOf)
    const made = ['bronze/', 'source/', 'engine/']
    expect(askers.filter((name) => !made.some((room) => name.startsWith(room)))).toEqual(
      besideFiles,
    )
  })

  it('spells what only DuckDB understands in few files beside its engine, and in no new ones', async () => {
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    const found = await connection.runAndReadAll(
      'SELECT DISTINCT lower(function_name) AS f FROM duckdb_functions() ORDER BY length(f) DESC',
    )
    instance.closeSync()
    const functions = found.getRows().map(([name]) => String(name))
    const rooms = ['engine/duckdb/', ...translating]
    const spelt = files
      .filter((path) => !rooms.some((room) => nameOf(path).startsWith(room)))
      .filter((path) => spellingsIn(readFileSync(path, 'utf8'), functions).length > 0)
    const others = [...inDuckDB, ...ofOthers]
    expect(
      spelt
        .map(nameOf)
        .filter((name) => !ofOthers.includes(name))
        .sort(),
    ).toEqual(inDuckDB)
    expect(
      spelt
        .map(nameOf)
        .filter((name) => others.includes(name))
        .sort(),
    ).toEqual(others.sort())
  })

  it('names types as DuckDB does in few files, and in no new ones', () => {
    const named = imports
      .filter(({ to }) => nameOf(to) === 'define/types/sql-type')
      .map(({ from }) => nameOf(from))
      .filter((name) => !name.startsWith('engine/duckdb/') && !name.startsWith('define/'))
    expect([...new Set(named)].sort()).toEqual(namingTypes)
  })

  it('has no file that imports itself through others', () => {
    expect(cyclesOf(imports.filter(({ typeOnly }) => !typeOnly))).toEqual([])
  })

  it('has none that leads to itself by types either', () => {
    expect(cyclesOf(imports.filter(({ lazy }) => !lazy))).toEqual([])
  })

  it('makes signals in one place, so that any number may listen to each', () => {
    const elsewhere = files
      .filter((path) => /new AbortController|AbortSignal\.any\(/.test(readFileSync(path, 'utf8')))
      .map(nameOf)
    expect(elsewhere).toEqual(['signals'])
  })

  it('keeps its files small enough to read, and its folders to look through', () => {
    const lines = files.map((path) => readFileSync(path, 'utf8').split('\n').length - 1)
    const sorted = lines.toSorted((a, b) => a - b)
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(100)
    expect(sorted[Math.floor(sorted.length * 0.9)]).toBeLessThanOrEqual(260)
    expect(files.filter((_, i) => (lines[i] as number) > 450).map(nameOf)).toEqual([])
    const inFolder = new Map<string, number>()
    for (const path of files) inFolder.set(dirname(path), (inFolder.get(dirname(path)) ?? 0) + 1)
    expect([...inFolder].filter(([, n]) => n > 20).map(([folder]) => nameOf(folder))).toEqual([])
  })

  it('has comments that can be read beside the code: of at most 100 columns', () => {
    const long = codeBelow(repository, tested).flatMap((path) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .flatMap((line, i) =>
          line.length > 100 && /^\s*(\/?\*|\/\/)/.test(line)
            ? [`${relative(repository, path)}:${i + 1}`]
            : [],
        ),
    )
    expect(long, 'npm run format breaks them').toEqual([])
  })

  it('has few files that import many others, and no new ones', () => {
    const many = files.filter((path) => new Set(targetsOf(path)).size > 18).map(nameOf)
    expect(many.sort()).toEqual(wideFiles)
  })

  it('has few functions of more than 60 lines, and no new ones', () => {
    const long = functions.filter(({ lines }) => lines > 60).map(({ name }) => name)
    expect([...new Set(long)].sort()).toEqual(longFunctions)
  })

  it('has few functions with more than four parameters by place, and no new ones', () => {
    const found: Record<string, number> = {}
    for (const { name, parameters } of functions) {
      const room = name.split(/[/ ]/)[0] as string
      if (parameters > 4) found[room] = (found[room] ?? 0) + 1
    }
    const more = Object.entries(found).filter(([room, n]) => n > (manyParameters[room] ?? 0))
    expect(more).toEqual([])
  })

  it('keeps little for as long as the process lives, and nothing of a lake', () => {
    expect(parsed.flatMap(keptBy).sort()).toEqual(Object.keys(keptByProcess).sort())
  })

  it('is as docs/architecture.md draws it', () => {
    const path = join(repository, 'docs/architecture.md')
    const text = readFileSync(path, 'utf8')
    const drawn = text.replace(/(<!-- map -->\n)[\s\S]*?(<!-- \/map -->)/, `$1${map()}$2`)
    if (process.env.UPDATE_DOCS) writeFileSync(path, drawn)
    else expect(text, 'draw it again with UPDATE_DOCS=1').toBe(drawn)
  })
})

it('docs/architecture.md names files that are there', () => {
  const text = readFileSync(join(repository, 'docs/architecture.md'), 'utf8')
  const paths = [...text.matchAll(/`([\w.-]+(?:\/[\w.-]+)+\/?)`/g)].map(([, path = '']) => path)
  expect(paths.length).toBeGreaterThan(100)
  const isThere = (path: string) =>
    [`src/${path}`, path].some((at) =>
      ['', '.ts', '.test.ts'].some((ending) => existsSync(join(repository, at + ending))),
    )
  expect(paths.filter((path) => !isThere(path.replace(/\/$/, '')))).toEqual([])
})

/** Files beside those of bronze that ask for `FileEngine`: none is to be added. */
const besideFiles = [
  'catalog/crawl/folders',
  'catalog/crawl/looks',
  'maintain/verify-data',
  'quality/functions',
  'query/worker',
  'step/relations',
]

/** Folders whose comments are looked at, as `npm run format` does. */
const tested = ['.ci', 'bench', 'bin', 'examples', 'src', 'test']

/** Code of folders, tests included; projects with a mistake each are none of ours. */
function codeBelow(folder: string, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const path = join(folder, name)
    if (name === 'node_modules' || path.endsWith('golden/errors')) return []
    if (statSync(path).isDirectory()) return codeBelow(path, readdirSync(path))
    return /\.[cm]?[jt]s$/.test(name) ? [path] : []
  })
}

/**
 * Files whose SQL is DuckDB's: none is to be added. What makes bronze asks for `FileEngine`, SQL of
 * `define/` stands in fingerprints, the command line asks queries as people write them; all others
 * go through the session's dialect.
 */
const inDuckDB = [
  'cli/discarded-export',
  'cli/discarded-rule',
  'define/sql/divide',
  'define/sql/sql',
  'define/types/sql-type',
  'query/discarded-reasons',
  'source/formats/delimited',
  'source/formats/json-columns',
  'source/formats/json-names',
  'source/formats/json-records',
  'source/formats/nested-json',
  'source/formats/table',
]

/** Rooms that write for DuckDB what clients have written for another engine. */
const translating = ['serve/postgres/', 'serve/aws/', 'sql/trino/']

/**
 * Files that name types as DuckDB does: in fingerprints and the metadata of bronze, where they are
 * stored, and where a name that `describe` gave is compared. None is to be added.
 */
const namingTypes = [
  'engine/file-type',
  'gold/view',
  'plan/exact',
  'plan/fingerprint',
  'quality/raw',
  'query/service/visible',
  'source/files/encode',
  'step/requested-types',
]

/**
 * Files with words that DuckDB has too: in SQL of other engines, or in what is said to people.
 */
const ofOthers = [
  'catalog/crawl/database-types',
  'catalog/crawl/databases',
  'catalog/save-query',
  'cli/commands/read/query',
  'cli/starter',
  'define/options/dataset-options',
  'export/duckdb/target',
  'export/mysql/dialect',
  'export/mysql/session',
  'export/postgres/dialect',
  'export/redshift/dialect',
  'export/redshift/session',
  'export/sqlserver/dialect',
  'export/redshift/types',
  'gold/casts',
  'plan/incremental',
  'plan/refused/unprovable',
  'plan/repeatable',
  'query/open',
  'source/database/conditions',
  'source/database/mysql/session',
  'source/database/mysql/types',
  'source/database/postgres/dialect',
  'source/database/postgres/remote',
  'source/database/postgres/session',
  'source/database/sqlserver/session',
  'sql/bound/read',
  'sql/bound/rules/aggregates',
  'sql/bound/rules/casts',
  'sql/bound/rules/numbers',
  'sql/bound/rules/operators',
  'sql/bound/rules/texts',
  'sql/bound/rules/times',
  'sql/bound/types',
]

/** Files that import more than 18 others: none is to be added. */
const wideFiles = [
  'bronze/database/writer',
  'bronze/files/ingest',
  'bronze/rebuild',
  'cli/commands/build/dev',
  'cli/commands/build/rebuild',
  'cli/commands/build/run',
  'cli/commands/build/serve',
  'iceberg/table',
  'testing/compare',
]

/** Functions of more than 60 lines, with the file that each stands in: none is to be added. */
const longFunctions = ['cli/commands/build/rebuild run', 'cli/commands/build/run run']

/**
 * How many functions of a room have more than four parameters by place: what belongs together is
 * one value. None is to be added; who makes one less writes it down.
 */
const manyParameters: Readonly<Record<string, number>> = {
  bronze: 4,
  cli: 2,
  engine: 1,
  gold: 2,
  iceberg: 2,
  log: 2,
  maintain: 8,
  plan: 6,
  quality: 6,
  run: 5,
  silver: 14,
  source: 3,
  step: 8,
}

/**
 * What lives as long as the process, and why; what is of one lake lives in its `Lakehouse`. Nothing
 * is to be added.
 */
const keptByProcess: Readonly<Record<string, string>> = {
  'aws/lambda/catalog opened': 'the catalog of the one lake that a function is for',
  'aws/lambda/function-lake opened': 'the one lake that a function is for',
  'cli/branch/again current': 'what each command line was given, by its own calls',
  'define/call-site original': 'where the lines of a definition came from, while it is loaded',
  'define/problems/mistakes broken': 'what was found wrong, so that it is not found once more',
  'define/problems/mistakes found': 'mistakes of a definition while its modules are evaluated',
  'define/types/stable-text texts': 'a memo of what a schema says, by the schema',
  'iceberg/spec/updates/shape-updates shapes': 'a memo of what a schema has, by the schema',
  'load/thread javascript': 'a thread of its own, which runs one definition',
  'load/thread passedOver': 'a thread of its own, which runs one definition',
  'load/threads texts': 'a memo of what a schema says, by the dataset',
  'process/end-now working': 'what goes on in this process and can not be stopped',
  'process/watchdog-thread seen': 'a thread of its own, which watches one process',
  'query/budget queryMemory': 'the memory of this machine, which all queries share',
  'query/spawn idle': 'processes that wait for the next query of who had them before',
  'query/spawn most': 'how many of them may wait',
  'query/loaded-tables known': 'a memo of versions of tables, which never change, by the storage',
  'query/tables byFolded': 'a memo of names, by what they were made of',
  'log/reading/identity known': 'which lake lies in a storage, by the storage',
  'log/reading/requests known': 'a memo of requests, by the state that knows them',
  'query/worker query': 'a process of its own, which runs queries',
  'plan/fingerprint known': 'a memo of what was hashed, by the dataset',
  'run/bind/bind-new bound': 'a memo of what was proved, by the dataset',
  'run/bind/prove-sql proved': 'a memo of what was proved, by the dataset',
  'secrets all': 'secrets that no text of this process may hold',
  'source/decoder/client idle': 'processes that decode, for the next file',
  'source/decoder/client local': 'what decodes small texts in this process',
  'source/decoder/jobs engine': 'a process of its own, which decodes files',
  'source/decoder/limits most': 'what the command line gives this process',
  'source/decoder/process asked': 'a process of its own, which decodes files',
  'source/decoder/process asks': 'a process of its own, which decodes files',
  'source/decoder/progress beyond': 'a process of its own, which decodes files',
  'source/decoder/progress counter': 'a process of its own, which decodes files',
  'source/files/bucket buckets': 'connections to buckets of sources, by their addresses',
  'source/http/addresses carriers': 'addresses that never change',
  'source/http/addresses global': 'addresses that never change',
  'source/http/addresses special': 'addresses that never change',
  'sql-file carried': 'files of the definition that this worker has loaded',
  'sql-file readers': 'who wants to know which files a definition reads, while it is loaded',
  'storage/checksum idle': 'buffers, for the next file',
  'storage/moved known': 'a memo of checksums, by the storage',
  'storage/retry exhausted': 'a memo of failures that were waited for',
  'storage/retry failing': 'storages that do not answer, which a person hears of once',
  'storage/retry listeners': 'who tells that person',
  'storage/scratch isSwept': 'whether folders of processes that are gone were removed',
  'testing/compare engine': 'the engine that all tests of datasets share',
  'testing/compare last': 'the engine that all tests of datasets share',
}

const nameOf = (path: string) => relative(source, path).replace(/\.ts$/, '')

function targetsOf(path: string): string[] {
  return imports.filter(({ from, lazy }) => from === path && !lazy).map(({ to }) => to)
}

/** The functions of a file; one without a name has that of what it is part of. */
function functionsOf({ name: path, file }: Parsed) {
  const found: { name: string; lines: number; parameters: number }[] = []
  const linesIn = (from: number, to: number) => file.text.slice(from, to).split('\n').length
  const visit = (node: Node, around: string) => {
    const isFunction = isFunctionLikeDeclaration(node)
    const { name: own } = (isFunction || isVariableDeclaration(node) ? node : {}) as { name?: Node }
    const name = own?.getText(file) ?? around
    if (isFunction) {
      const lines = linesIn(node.getStart(file), node.end)
      found.push({ name: `${path} ${name}`, lines, parameters: node.parameters.length })
    }
    node.forEachChild((child) => visit(child, name))
  }
  visit(file, '')
  return found
}

/** What a file keeps that can change: variables outside functions, and what is empty at first. */
function keptBy({ name, file }: Parsed): string[] {
  return file.statements.filter(isVariableStatement).flatMap(({ declarationList: list }) =>
    list.declarations.flatMap(({ name: own, initializer: made }) => {
      const isVariable = (list.flags & NodeFlags.Let) !== 0
      const isEmpty =
        made !== undefined &&
        ((isNewExpression(made) &&
          !made.arguments?.length &&
          !/^Text(En|De)coder$/.test(made.expression.getText(file))) ||
          (isArrayLiteralExpression(made) && made.elements.length === 0) ||
          (isObjectLiteralExpression(made) && made.properties.length === 0))
      return isVariable || isEmpty ? [`${name} ${own.getText(file)}`] : []
    }),
  )
}

/** Groups of files each of which leads to all others of its group, by Tarjan. */
function cyclesOf(of: readonly Import[]): string[][] {
  const next = new Map<string, string[]>()
  for (const { from, to } of of) next.set(from, [...(next.get(from) ?? []), to])
  const [index, low] = [new Map<string, number>(), new Map<string, number>()]
  const stack: string[] = []
  const found: string[][] = []
  const visit = (file: string) => {
    index.set(file, index.size)
    low.set(file, index.get(file) as number)
    stack.push(file)
    for (const to of next.get(file) ?? []) {
      if (!index.has(to)) visit(to)
      if (stack.includes(to))
        low.set(file, Math.min(low.get(file) as number, low.get(to) as number))
    }
    if (low.get(file) !== index.get(file)) return
    const group = stack.splice(stack.indexOf(file))
    if (group.length > 1) found.push(group.map(nameOf).sort())
  }
  for (const file of files) if (!index.has(file)) visit(file)
  return found.sort(([a = ''], [b = '']) => a.localeCompare(b))
}

/** The rooms as a table, which is part of the documentation. */
function map(): string {
  const rows = floors.flatMap((rooms, i) =>
    Object.entries(rooms).map(([room, what]) => {
      const isFolder = files.some((path) => nameOf(path).startsWith(`${room}/`))
      const pure = pureRooms.has(room) ? 'pure' : ''
      return [String(floors.length - i), `\`${room}${isFolder ? '/' : ''}\``, what, pure]
    }),
  )
  const all = [['Floor', 'Room', 'What happens there', ''], ...rows]
  const widths = [0, 1, 2, 3].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  const line = (row: string[]) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return `${[line(all[0] as string[]), rule, ...rows.map(line)].join('\n')}\n`
}

/** Rooms that import nothing of Node. */
const pureRooms = new Set(['define', 'quality', 'sql', 'plan'])
