import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { variables } from '../src/settings.js'
import { sample } from './support/effort.js'
import { repository } from './support/project.js'

/*
 * The guide is run as it is read: a block with a file's name is written, a block of `sh` is run,
 * and the `text` below it must be what was printed. `UPDATE_DOCS=1 npx vitest run
 * test/docs.test.ts` puts the real output in.
 */

interface Block {
  language: string
  file: string | undefined
  text: string
}

const fence = /^```(\w+)(?: +(\S+))?\n([\s\S]*?)^```$/gm

function blocksOf(page: string): Block[] {
  return [...page.matchAll(fence)].map(([, language = '', file, text = '']) => ({
    language,
    file,
    text,
  }))
}

/** What differs from run to run, steps that end in another order included. */
function normal(text: string): string {
  const lines = text.split('\n')
  const steps = lines.filter((line) => /^[✔·✖] \w+\./.test(line)).sort()
  const ordered = lines.map((line) =>
    /^[✔·✖] \w+\./.test(line) ? (steps.shift() as string) : line,
  )
  return (
    ordered
      .join('\n')

      .replace(/\d{8}T\d{9}Z-[0-9a-f]{6}/g, 'RUN')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
      .replace(/\b(\d{6})-[0-9a-f]{8}\b/g, '$1-BATCH')
      // The folder of a table of another engine.
      .replace(/-[0-9a-f]{12}\b/g, '-FOLDER')
      .replace(/20(2[6-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?Z/g, 'TIME')
      // When a schedule comes round next.
      .replace(/20\d\d-\d\d-\d\d \d\d:00:00Z/g, 'TIME')
      .replace(/(\/files\/)20\d\d-\d\d-\d\d\//g, '$1DAY/')
      .replace(/(the last on )20\d\d-\d\d-\d\d/g, '$1DAY')
      // What the machine is.
      .replace(/^\d+ workers? on .*$/gm, 'WORKERS')
      .replace(/[\d.]+ s\b/g, 'N s')
      .replace(/[\d.]+ ms\b/g, 'N ms')
      .replace(/[\d,]+ rows\/s/g, 'N rows/s')
      .replace(/[\d.]+ (?:KiB|MiB|B)\b/g, 'SIZE')
      .replace(/\/\S*my-lake/g, 'my-lake')
      .replace(/ +/g, ' ')
      .replace(/[─]+/g, '─')
      .trim()
  )
}

/** Runs the commands of a page in a folder of its own, like a reader at a terminal. */
class Reader {
  readonly home = mkdtempSync(join(tmpdir(), 'moraine-docs-'))
  private folder = this.home

  constructor() {
    const bin = join(this.home, '.bin')
    mkdirSync(bin)
    writeFileSync(
      join(bin, 'npx'),
      `#!/bin/sh\nshift\nexec "${process.execPath}" "${join(repository, 'bin/moraine.js')}" "$@"\n`,
      { mode: 0o755 },
    )
    mkdirSync(join(this.home, 'node_modules'))
    symlinkSync(repository, join(this.home, 'node_modules/moraine'))
    // What pages import beside it, as a reader would have installed it.
    const sdk = 'node_modules/@aws-sdk'
    symlinkSync(join(repository, sdk), join(this.home, sdk))
  }

  write(file: string, text: string): void {
    const path = join(this.folder, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }

  run(script: string): string {
    const env = {
      ...process.env,
      NO_COLOR: '1',
      USER: 'ada',
      PATH: `${join(this.home, '.bin')}:${process.env.PATH}`,
    }
    const { stdout, stderr } = spawnSync('sh', ['-c', `${script}\npwd > "${this.home}/.pwd"`], {
      cwd: this.folder,
      env,
      encoding: 'utf8',
    })
    this.folder = resolve(readFileSync(join(this.home, '.pwd'), 'utf8').trim())
    return (stdout + stderr).replaceAll(this.home, '/home/ada')
  }

  close(): void {
    rmSync(this.home, { recursive: true, force: true })
  }
}

const guide = join(repository, 'docs/guide')

describe('the guide', () => {
  const pages = readdirSync(guide).filter((file) => file.endsWith('.md'))
  // Whoever brings them up to date brings all.
  for (const name of process.env.UPDATE_DOCS ? pages : sample(pages, 5))
    it(`${name} says what happens`, () => {
      const path = join(guide, name)
      let page = readFileSync(path, 'utf8')
      const reader = new Reader()
      try {
        const blocks = blocksOf(page)
        for (const [i, block] of blocks.entries()) {
          if (block.file) reader.write(block.file, block.text)
          if (block.language !== 'sh') continue
          const printed = reader
            .run(block.text)
            .replace(/[ \t]+$/gm, '')
            .trimEnd()
          const shown = blocks[i + 1]
          if (shown?.language !== 'text') continue
          if (process.env.UPDATE_DOCS)
            page = page.replace(
              `\`\`\`text\n${shown.text}\`\`\``,
              () => `\`\`\`text\n${printed}\n\`\`\``,
            )
          else expect(normal(printed), block.text).toBe(normal(shown.text))
        }
      } finally {
        reader.close()
      }
      if (process.env.UPDATE_DOCS) writeFileSync(path, page)
    })

  it('has links that lead somewhere', () => {
    const pages = [
      'README.md',
      'CONTRIBUTING.md',
      'docs/architecture.md',
      ...['log', 'scale'].map((name) => `docs/design/${name}.md`),
      ...readdirSync(guide).map((f) => `docs/guide/${f}`),
    ]
    const broken = pages.flatMap((page) => {
      const text = readFileSync(join(repository, page), 'utf8')
      return [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)]
        .map((match) => join(dirname(join(repository, page)), match[1] as string))
        .filter(
          (target) =>
            !readdirSync(dirname(target), { withFileTypes: true }).some((e) =>
              target.replace(/\/$/, '').endsWith(e.name),
            ),
        )
        .map((target) => `${page} → ${target}`)
    })
    expect(broken).toEqual([])
  })
})

it('the guide lists every setting of the environment', () => {
  const guide = readFileSync(join(repository, 'docs/guide/running.md'), 'utf8')
  const rows = [...guide.matchAll(/^\| `([A-Z0-9_]+)` +\| (.*) \|$/gm)].map(([, name, says]) => [
    name,
    says,
  ])
  expect(rows).toEqual(Object.entries(variables))
})

describe('the README', () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8')

  it('names commands that exist', () => {
    const scripts = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).scripts
    const commands = blocksOf(readme)
      .filter((b) => b.language === 'sh')
      .flatMap((b) => b.text.split(/\n|&&/))
      .map((c) => c.trim())
      .filter(Boolean)
    expect(commands.length).toBeGreaterThan(3)
    for (const command of commands) {
      const [tool, name = '', ...rest] = command.split(/\s+/)
      if (tool === 'npm' && name === 'run')
        expect(scripts, command).toHaveProperty(rest[0] as string)
      else if (tool === 'npx') {
        const help = spawnSync(
          process.execPath,
          [join(repository, 'bin/moraine.js'), rest[0] as string, '--help'],
          { encoding: 'utf8' },
        )
        expect(help.stdout, command).toContain(`Usage: moraine ${rest[0]}`)
      } else
        expect(['npm ci', 'npm test', 'cd ../my-lake', 'npm install'], command).toContain(
          command.replace(/ *#.*/, ''),
        )
    }
    // A lake of one's own finds Moraine only once it is installed there.
    const begun = commands.indexOf('npx moraine init ../my-lake')
    expect(commands.slice(begun + 1, begun + 4)).toEqual([
      'cd ../my-lake',
      'npm install',
      'npx moraine run',
    ])
  })

  it('leads to each page of the guide once', () => {
    const led = [...readme.matchAll(/\]\(docs\/guide\/([^)#]+)/g)].map(([, page]) => page)
    expect(led.toSorted()).toEqual(readdirSync(guide).toSorted())
  })

  it('shows a definition that compiles to a lake', async () => {
    const [definition] = blocksOf(readme).filter((b) => b.language === 'ts')
    const reader = new Reader()
    reader.write('lake.ts', definition?.text ?? '')
    expect(reader.run('npx moraine plan --json')).toContain('"dataset": "gold.daily_revenue"')
    reader.close()
  })
})
