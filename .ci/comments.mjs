/*
 * Breaks comments that are longer than 100 columns, paragraph by paragraph: part of `npm run
 * format`. What no rule can break is told, and is for people.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const MOST = 100
const COMMENT = /^\s*(\/?\*|\/\/)/

/** Words in lines of at most 100 columns. */
function wrapped(words, first, rest) {
  const lines = [first + words[0]]
  for (const word of words.slice(1)) {
    const last = lines.at(-1)
    if (last.length + 1 + word.length > MOST) lines.push(rest + word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/** What begins a paragraph of its own, or a text whose lines stay as they are. */
const STARTS = /^(@|[-*|#>]|```|\d+\.|\s|biome-ignore)/

function paragraphAt(lines, from) {
  const [, indent, mark] = /^(\s*)(\*|\/\/) \S/.exec(lines[from]) ?? []
  const texts = []
  for (let i = from; mark && i < lines.length; i++) {
    const [, spaces, own, text = ''] = /^(\s*)(\*|\/\/) (.*)$/.exec(lines[i]) ?? []
    if (spaces !== indent || own !== mark || (mark === '*' && text.trimEnd().endsWith('*/'))) break
    if (i > from && (text.trim() === '' || STARTS.test(text))) break
    texts.push(text)
  }
  return { texts, start: `${indent}${mark} ` }
}

function broken(text) {
  const lines = text.split('\n')
  const all = []
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]
    const [, indent, open, alone] = /^(\s*)(\/\*\*?) (.*) \*\/$/.exec(line) ?? []
    const { texts, start } = paragraphAt(lines, i)
    const after = i + Math.max(1, texts.length)
    const isLong = lines.slice(i, after).some(({ length }) => length > MOST)
    if (open && isLong) {
      const start = `${indent} * `
      all.push(`${indent}${open}`, ...wrapped(alone.split(/\s+/), start, start), `${indent} */`)
    } else if (texts.length > 0 && isLong && !/^(\||biome-ignore)/.test(texts[0])) {
      const hanging = /^(@|- |\d+\. )/.test(texts[0]) ? '  ' : ''
      all.push(...wrapped(texts.join(' ').split(/\s+/), start, start + hanging))
    } else all.push(...lines.slice(i, after))
    i = after
  }
  return all.join('\n')
}

const folders = process.argv.slice(2)
const files = execFileSync('git', ['ls-files', ...folders], { encoding: 'utf8' })
  .split('\n')
  .filter((path) => /\.[cm]?[jt]s$/.test(path) && !path.startsWith('test/golden/errors/'))
for (const path of files) {
  const before = readFileSync(path, 'utf8')
  const after = broken(before)
  if (after !== before) writeFileSync(path, after)
  for (const [i, line] of after.split('\n').entries())
    if (line.length > MOST && COMMENT.test(line) && !line.includes('biome-ignore'))
      console.log(`${path}:${i + 1}: this comment has ${line.length} columns`)
}
