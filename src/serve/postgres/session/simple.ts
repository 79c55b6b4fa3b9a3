import { statementsOf } from '../sql/tokens.js'
import { RowFormat } from '../types/row-format.js'
import { write } from '../wire/write-message.js'
import { carryOut, copyOut, type SessionState, shownColumns, shownRows } from './execute-command.js'

/**
 * The simple protocol: statements in one text, one after the other, up to the first that fails.
 *
 * @throws PgError
 */
export async function simpleQuery(sql: string, state: SessionState): Promise<void> {
  const statements = statementsOf(sql)
  if (statements.length === 0) state.connection.write(write.emptyQuery())
  for (const statement of statements) await one(statement, state)
}

async function one(sql: string, state: SessionState): Promise<void> {
  const { connection, settings, transaction, questions } = state
  const command = questions.command(sql)
  transaction.check(command)
  switch (command.kind) {
    case 'empty':
      return
    case 'copy':
      return copyOut(command, state)
    case 'declare':
    case 'fetch':
    case 'close':
      return state.cursor(command)
    case 'show': {
      const rows = shownRows(command.name, settings)
      connection.write(write.rowDescription(new RowFormat(shownColumns(command.name)).describe()))
      for (const row of rows) connection.write(write.dataRow(row))
      return connection.write(write.commandComplete('SHOW'))
    }
    case 'select': {
      const running = await questions.run(command.sql)
      try {
        const format = new RowFormat(running.columns)
        connection.write(write.rowDescription(format.describe()))
        await running.send(connection, format)
        connection.write(write.commandComplete(`SELECT ${running.sent}`))
      } finally {
        await running.close()
      }
      return
    }
    default:
      carryOut(command, state)
  }
}
