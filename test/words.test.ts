import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { parseAst } from 'vitest/node'
import { repository } from './support/project.js'

/** Words that puzzle readers, with the field's words for them: CONTRIBUTING, "Voice". */
const quaint: readonly (readonly [word: RegExp, instead: string])[] = [
  [/\bgraves?\b|\bbur(y|ied)\b/, 'tombstone'],
  [/\bkeepers?\b/, 'daemon'],
  [/\bbent\b|\binexact\b/, 'non-canonical'],
  [/\bbyHand\b/, 'manual'],
  [/\b(take|takes|taken|took) (it |them )?in\b|\btaking in\b/, 'ingest'],
  [/\bgoes on here\b/, 'continues from there'],
  [/\b[Nn]obody\b|\b[Ww]hoever\b|\bsomebody\b/, 'name who or what'],
  [/\blet(s)? (go|old)\b|\bwere let\b|\bForgot\b/, 'expire'],
  [/\b[Mm]end(s|ed|ing)?\b/, 'fix, repair'],
  [/\banew\b/, 'again, rebuild'],
  [/\blaid\b|\bhas landed\b/, 'arrived'],
  [/\bcan not\b/, 'cannot'],
  [/(?<!\b[Tt]here )\bis no (?!longer\b|data\b|more\b)[a-z]/, 'is not a'],
  [/\b(has|have|is) not .* any more\b/, 'no longer'],
  [/\bnothing has come\b|\bcame again\b|\bcame instead\b/, 'arrive'],
  [/\b(is|are|was|were) told\b|\b[Ss]ay so\b|\bSay (how|which|where|what)\b/, 'report, set'],
  [/\bwait(s)? to be looked at\b|\bwas not looked at\b/, 'check'],
  [/\bjudged?\b|\bcontend|\bsuspects?\b/, 'validate, duplicate candidate'],
  [/\bin the clear\b/, 'unencrypted'],
]

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return files(path)
    return /(?<!\.test)\.ts$/.test(entry.name) ? [path] : []
  })
}

/** Texts of a program: literals that hold a space; names, paths and SQL are left to others. */
function texts(code: string): string[] {
  const found: string[] = []
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const one of node) visit(one)
    else if (typeof node === 'object' && node !== null) {
      const { type, value, quasis } = node as {
        type?: string
        value?: unknown
        quasis?: readonly { value: { cooked: string } }[]
      }
      if (type === 'Literal' && typeof value === 'string') found.push(value)
      if (type === 'TemplateLiteral' && quasis)
        found.push(quasis.map(({ value }) => value.cooked).join('…'))
      for (const child of Object.values(node)) visit(child)
    }
  }
  visit(parseAst(code, { lang: 'ts' }).body)
  return found.filter((text) => / /.test(text.trim()) && text !== 'by hand')
}

const wordsIn = (text: string) =>
  quaint.flatMap(([word, instead]) => (word.test(text) ? [`${instead}: ${text}`] : []))

it("texts that users read use the field's words", () => {
  expect(wordsIn('Nobody runs it: mend what was taken in')).toHaveLength(3)
  const source = join(repository, 'src')
  const all = files(source).flatMap((path) => {
    const of = texts(readFileSync(path, 'utf8'))
    return of.map((text) => ({ path: relative(source, path), text }))
  })
  expect(all.length).toBeGreaterThan(2500)
  expect(
    all.flatMap(({ path, text }) => wordsIn(text).map((found) => `${path}: ${found}`)),
  ).toEqual([])
})

/** Prose of a page: what stands in fences is code, and what programs print. */
const prose = (page: string) => page.replace(/^```.*?^```/gms, '')

it('nor does the guide leave open who is meant', () => {
  const guide = join(repository, 'docs/guide')
  const pages = readdirSync(guide).map((name) => ({
    name,
    text: readFileSync(join(guide, name), 'utf8'),
  }))
  expect(pages.length).toBeGreaterThan(20)
  const found = pages.flatMap(({ name, text }) =>
    prose(text)
      .split('\n')
      .flatMap((line) =>
        /\b([Nn]obody|[Ww]hoever|[Ss]omebody)\b/.test(line)
          ? [`${name}: ${line.slice(0, 120)}`]
          : [],
      ),
  )
  expect(found).toEqual([])
})

/** A text of the program as a pattern: anything stands where a value is put in. */
function patternOf(text: string): RegExp {
  const parts = text.trim().split('…')
  return new RegExp(parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*'))
}

it('and shows no message that no program prints any more', () => {
  const all = files(join(repository, 'src')).flatMap((path) => texts(readFileSync(path, 'utf8')))
  const known = all.filter((text) => text.replaceAll('…', '').trim().length >= 12).map(patternOf)
  const guide = join(repository, 'docs/guide')
  const lines = readdirSync(guide).flatMap((name) =>
    [...readFileSync(join(guide, name), 'utf8').matchAll(/^```(\w*)[^\n]*\n(.*?)^```/gms)]
      .flatMap(([, language = '', fence = '']) =>
        /^(text)?$/.test(language) ? fence.split('\n') : [],
      )
      .filter((line) => /^[✖!→] /.test(line) && !/ [\d.]+ m?s$/.test(line))
      .map((line) => ({ name, line })),
  )
  expect(lines.length).toBeGreaterThan(20)
  const old = lines.filter(({ line }) => !known.some((pattern) => pattern.test(line)))
  expect(old).toEqual([])
})
