import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { api } from '../../support/api.js'
import { Project } from '../../support/project.js'

const lake = (source: string, silver = '') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, http, mysql, postgres, sqlserver } from 'moraine/sources'
const raw = bronze('rows', { from: ${source} })
const rows = silver('rows', { from: raw, schema: z.object({ id: t.int()${silver} }), key: 'id' })
export default defineLake({ name: 'shown', datasets: [rows] })
`

/** Characters that steer a terminal, or turn the direction of what follows. */
const STEERING = /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u
/** Steers, rings, and then says in a line of its own that all is well. */
const EVIL = '\x1b[2J\x07\u009b31m\u202e\n✔ fine\r'

const commands = [
  ['plan'],
  ['plan', '--json'],
  ['run'],
  ['run', '--json'],
  ['status'],
  ['status', '--check'],
  ['status', '--json'],
  ['runs'],
  ['runs', '--json'],
  ['discarded', 'rows'],
  ['catalog'],
  ['profile', 'rows'],
  ['verify'],
  ['query', 'from bronze.rows'],
  ['query', 'from discarded.rows'],
  ['query', '--format', 'json', 'from discarded.rows'],
]

/** All that commands print, by command. */
async function printed(project: Project, wanted: readonly string[][] = commands) {
  const found: Record<string, string> = {}
  for (const args of wanted) {
    const { stdout, stderr } = await project.cli(...args)
    found[args.join(' ')] = stdout + stderr
  }
  return found
}

describe('what comes from outside', () => {
  it('steers no terminal and forges no line: names of files and columns, values, and reasons', async () => {
    const project = await Project.create({
      'lake.ts': lake(`files('in/*.csv')`, `, 'n${JSON.stringify(EVIL).slice(1, -1)}': t.int()`),
      [`in/good${EVIL}.csv`]: `id,"n${EVIL}"\n1,2\n${EVIL.replaceAll('\n', '')},3\n`,
      [`in/bad${EVIL}.csv`]: 'id\n"never closed\n',
    })
    for (const [command, text] of Object.entries(await printed(project))) {
      const [found] = STEERING.exec(text) ?? []
      expect({ command, found }).toEqual({ command, found: undefined })
      expect({
        command,
        lines: text.split('\n').filter((line) => line.startsWith('✔ fine')),
      }).toEqual({ command, lines: [] })
    }
  })
})

describe('a secret', () => {
  it('of an API that echoes it, however it spells it, is in nothing that is printed or kept', async () => {
    const secret = 'Tok3n/s3cret+ü'
    const bytes = Buffer.from(secret)
    const basic = Buffer.from(`me:${secret}`).toString('base64')
    const spelled = [
      secret,
      secret.toUpperCase(),
      encodeURIComponent(secret),
      basic,
      bytes.toString('hex'),
      JSON.stringify(secret),
    ]
    for (const auth of [
      `{ user: 'me', password: () => ${JSON.stringify(secret)} }`,
      `{ bearer: ${JSON.stringify(secret)} }`,
    ]) {
      const { url } = await api((_, __, response) => {
        response.writeHead(403).end(`refused: ${spelled.join(' ')}`)
      })
      const project = await Project.create({ 'lake.ts': lake(`http('${url}', { auth: ${auth} })`) })
      const asked = [['plan', '--json'], ['run'], ['run', '--json'], ['status'], ['runs', '--json']]
      const all = JSON.stringify(await printed(project, asked)) + (await recordsOf(project))
      expect(all).toContain('refused: ***')
      const parts = [secret, 's3cret', basic, basic.slice(8, -4), bytes.toString('hex')]
      for (const part of parts) expect(all.toLowerCase()).not.toContain(part.toLowerCase())
    }
  })

  it('in an address that can not be parsed is in nothing that is printed or kept', async () => {
    const sources = {
      postgres: (url: string) => `postgres({ url: '${url}' }).table('t', { key: 'id' })`,
      mysql: (url: string) => `mysql({ url: '${url}' }).table('t', { key: 'id' })`,
      sqlserver: (url: string) => `sqlserver({ url: '${url}' }).table('dbo.t', { key: 'id' })`,
      https: (url: string) => `http('${url}')`,
      s3: (url: string) => `files('${url}/*.csv')`,
    }
    const wrong = [
      'me:s3cr/et@pa:ss@127.0.0.1:9x/db',
      'me:s3cr#et@127.0.0.1:99999/db',
      'me:s3cret@:9/db',
    ]
    const datasets = Object.entries(sources).flatMap(([scheme, source]) =>
      wrong.map(
        (rest, i) => `bronze('${scheme}_${i}', { from: ${source(`${scheme}://${rest}`)} })`,
      ),
    )
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { files, http, mysql, postgres, sqlserver } from 'moraine/sources'
export default defineLake({ name: 'shown', datasets: [
  ${datasets.join(',\n  ')}
] })`,
    })
    const asked = [['plan'], ['plan', '--json'], ['run'], ['status', '--check'], ['runs', '--json']]
    const all = JSON.stringify(await printed(project, asked)) + (await recordsOf(project))
    expect(
      all.match(/can't be read|is not a valid URL|is not a valid S3 location/g)?.length,
    ).toBeGreaterThan(30)
    expect(all).not.toContain('s3cr')
  })
})

/** What runs leave of themselves in the lake. */
async function recordsOf({ folder }: Project): Promise<string> {
  const runs = join(folder, 'lake', '_moraine', 'runs')
  const names = (await readdir(runs, { recursive: true })).filter((name) => name.endsWith('.json'))
  const texts = await Promise.all(names.map((name) => readFile(join(runs, name), 'utf8')))
  return texts.join('\n')
}
