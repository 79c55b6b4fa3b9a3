import colors from './output/colors.js'

/** The examples at the end of a command's help: what it does, then the line to type. */
export function examples(...pairs: [what: string, line: string][]): string {
  return `\nExamples:\n${pairs.map(([what, line]) => `  ${colors.dim(`# ${what}`)}\n  $ ${line}`).join('\n')}`
}
