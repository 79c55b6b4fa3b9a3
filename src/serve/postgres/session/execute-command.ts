import type { HeldBytes } from '../../../query/service/held-bytes.js'
import { PgError } from '../pg-error.js'
import type { Command } from '../sql/command.js'
import type { CursorCommand } from '../sql/cursor-command.js'
import { SERVER_VERSION, type Settings } from '../sql/settings.js'
import { RowFormat } from '../types/row-format.js'
import { write } from '../wire/write-message.js'
import type { Connection } from './connection.js'
import { CopyFormat } from './copy-format.js'
import type { Questions } from './questions.js'
import type { Transaction } from './transaction.js'

/** What statements of a session act on. */
export interface SessionState {
  connection: Connection
  settings: Settings
  transaction: Transaction
  questions: Questions
  /** Counts bytes of prepared statements and their values, of all sessions. */
  held: HeldBytes
  /** Forgets a prepared statement; all of them without a name. */
  deallocate: (name: string | undefined) => void
  /** Carries out what is asked of cursors, and answers with its tag. */
  cursor: (command: CursorCommand) => Promise<void>
}

/** A statement that answers with neither rows of the lake nor a copy. */
export type Answered = Exclude<
  Command,
  { kind: 'select' | 'copy' | 'show' | 'empty' } | CursorCommand
>

/** Carries out what changes nothing but the session, and answers with its tag. */
export function carryOut(command: Answered, state: SessionState): void {
  state.connection.write(write.commandComplete(applied(command, state)))
}

/** @returns the tag of the answer. */
function applied(command: Answered, state: SessionState): string {
  const { connection, transaction, settings, deallocate } = state
  switch (command.kind) {
    case 'begin':
    case 'commit':
    case 'rollback': {
      const { tag, warning } = transaction.apply(command.kind)
      if (command.kind !== 'begin') tellChanges(settings.leave(tag === 'COMMIT'), state)
      else if (!warning) settings.enter()
      if (warning)
        connection.write(
          write.notice('WARNING', command.kind === 'begin' ? '25001' : '25P01', warning),
        )
      return tag
    }
    case 'nothing':
      // A savepoint of a failed transaction gives it back.
      if (command.tag === 'ROLLBACK' && transaction.status === 'E') transaction.status = 'T'
      return command.tag
    case 'set': {
      if (command.name === 'all') tellChanges(settings.reset(), state)
      else if (command.isLocal && transaction.status === 'I')
        connection.write(write.notice('WARNING', '25P01', 'SET LOCAL needs a transaction'))
      else tellChanges(settings.set(command.name, command.value, command.isLocal), state)
      return command.value === undefined && !command.isLocal ? 'RESET' : 'SET'
    }
    case 'deallocate':
      deallocate(command.name)
      return command.name === undefined ? 'DEALLOCATE ALL' : 'DEALLOCATE'
    case 'discard':
      if (transaction.status !== 'I')
        throw new PgError('25001', 'DISCARD ALL cannot run within a transaction', {
          hint: 'Send COMMIT or ROLLBACK first.',
        })
      deallocate(undefined)
      tellChanges(settings.reset(), state)
      return 'DISCARD ALL'
  }
}

function tellChanges(names: readonly string[], { connection, settings }: SessionState): void {
  for (const name of names) connection.write(write.parameterStatus(name, settings.get(name)))
}

/** The columns of SHOW. */
export function shownColumns(name: string) {
  const names = name === 'all' ? ['name', 'setting', 'description'] : [name]
  return names.map((column) => ({ name: column, type: 'VARCHAR' }))
}

/** The rows of SHOW. */
export function shownRows(name: string, settings: Settings): string[][] {
  if (name === 'all') return settings.all().map(([key, value]) => [key, value, ''])
  if (name === 'server_version') return [[SERVER_VERSION]]
  return [[settings.get(name)]]
}

/** `COPY … TO STDOUT`. */
export async function copyOut(
  command: Extract<Command, { kind: 'copy' }>,
  { connection, questions }: SessionState,
): Promise<void> {
  const running = await questions.run(command.sql)
  try {
    const format = new RowFormat(running.columns)
    const copy = new CopyFormat(command)
    connection.write(write.copyOut(running.columns.length))
    if (command.header)
      connection.write(write.copyData(copy.line(running.columns.map(({ name }) => name))))
    await running.forClient(async () => {
      for (let row = await running.next(); row; row = await running.next()) {
        connection.write(write.copyData(copy.line(format.row(row))))
        running.sent++
        if (connection.isFull) await connection.flush()
      }
    })
    connection.write(write.copyDone())
    connection.write(write.commandComplete(`COPY ${running.sent}`))
  } finally {
    await running.close()
  }
}
