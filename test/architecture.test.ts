import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repository } from './support/project.js'

const source = join(repository, 'src')

/** The rooms from the top of the house to the bottom; a room may use those below it. */
const floors = [
  ['cli', 'index', 'testing'],
  ['serve'],
  ['query'],
  ['load'],
  ['catalog'],
  ['run'],
  ['source', 'sql-file'],
  ['engine'],
  ['log'],
  ['iceberg'],
  ['plan', 'sql'],
  ['quality'],
  ['process'],
  ['storage', 'define'],
  ['errors', 'secrets', 'settings'],
]

/** Types that a lower room may take from a higher one: they cost nothing and hold no code. */
const typesOnly = new Set(['plan → log', 'iceberg → quality', 'engine → quality'])

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
const floorOf = (room: string) => floors.findIndex((rooms) => rooms.includes(room))

interface Import {
  from: string
  to: string
  typeOnly: boolean
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
  }))
})

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

  it('has no file that imports itself through others', () => {
    const next = new Map<string, string[]>()
    for (const { from, to, typeOnly } of imports)
      if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to])
    const state = new Map<string, 'open' | 'done'>()
    const cycles: string[] = []
    const visit = (file: string, path: string[]) => {
      if (state.get(file) === 'done') return
      if (state.get(file) === 'open') {
        cycles.push([...path, file].map((f) => relative(source, f)).join(' → '))
        return
      }
      state.set(file, 'open')
      for (const to of next.get(file) ?? []) visit(to, [...path, file])
      state.set(file, 'done')
    }
    for (const file of files) visit(file, [])
    expect(cycles).toEqual([])
  })

  it('keeps its files small enough to read', () => {
    const lines = files
      .map((path) => readFileSync(path, 'utf8').split('\n').length)
      .sort((a, b) => a - b)
    expect(lines[Math.floor(lines.length / 2)]).toBeLessThanOrEqual(120)
    expect(lines[Math.floor(lines.length * 0.9)]).toBeLessThanOrEqual(350)
    expect(lines.at(-1)).toBeLessThanOrEqual(600)
  })
})
