import { AsyncLocalStorage } from 'node:async_hooks'
import { redact } from '../../secrets.js'
import { shellWord } from '../output/format.js'
import type { GlobalOptions } from '../project.js'
import { isOfOneBranch } from './branch-for.js'

interface CommandLine {
  /** Options of all commands that its user gave. */
  given: () => Partial<GlobalOptions>
  /** The names of all commands. */
  commands: ReadonlySet<string>
}

const current = new AsyncLocalStorage<CommandLine>()

/** Carries out a command line, so that what it proposes is about the same lake. */
export function repeating<T>(line: CommandLine, run: () => T): T {
  return current.run(line, run)
}

const COMMAND = /\bmoraine ([a-z][a-z-]*)\b(?!-)/g

/**
 * A text whose commands have the options that say which lake is meant, as this command line has:
 * whoever follows advice about a branch must not change main.
 */
export function again(text: string): string {
  const line = current.getStore()
  if (!line) return text
  return text.replace(COMMAND, (all: string, name: string, at: number) => {
    if (!line.commands.has(name)) return all
    const rest = text.slice(at + all.length).split(/[,;]|\. |moraine /, 1)[0] ?? ''
    return [all, ...missing(line.given(), name, rest)].join(' ')
  })
}

function missing(options: Partial<GlobalOptions>, name: string, rest: string): string[] {
  const { root, env, branch } = options
  const given = [
    ['--root', root],
    ['--env', env],
    ['--branch', isOfOneBranch(name) ? branch : undefined],
  ] as const
  return given.flatMap(([option, value]) =>
    value === undefined || rest.includes(`${option} `) ? [] : [option, shellWord(redact(value))],
  )
}
