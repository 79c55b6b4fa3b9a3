import type { Command } from 'commander'

/** What a question on Athena is told. */
export interface AthenaCliOptions {
  on?: string
  workgroup?: string
  output?: string
  prefix?: string
  compare?: boolean
}

/** Gives a command the options of `queryOnAthena`. */
export const athenaOptions = (command: Command): Command =>
  command
    .option('--on <engine>', 'ask the same question elsewhere: athena')
    .option('--workgroup <name>', 'with --on athena: the workgroup (default: primary)')
    .option(
      '--output <url>',
      'with --on athena: where to write the result, if the workgroup does not set it',
    )
    .option(
      '--prefix <text>',
      "with --on athena: what names of databases begin with (default: what aws({ databases }) says, or the lake's name, and _)",
    )
    .option('--compare', 'with --on athena: also ask here, and show how the rows differ')
