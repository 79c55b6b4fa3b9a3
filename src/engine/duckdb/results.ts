import type { DuckDBBlobValue, DuckDBResult, DuckDBValue } from '@duckdb/node-api'
import type { JsFunction } from '../../quality/functions.js'
import type { ResultColumn, ResultRow } from '../engine.js'
import { BLOB, DuckDBScalarFunction, VARCHAR } from './driver.js'
import type { Streamed } from './streamed.js'
import { columnTypeOf } from './types.js'
import { plainValue } from './values.js'

export function scalarFunction(name: string, call: JsFunction['call']): DuckDBScalarFunction {
  return DuckDBScalarFunction.create({
    name,
    parameterTypes: [BLOB],
    returnType: VARCHAR,
    specialHandling: true,
    mainFunction: (_info, input, output) => {
      const texts = input.getColumnVector(0)
      // Asking for it is a call into the engine.
      const { rowCount } = input
      for (let row = 0; row < rowCount; row++) {
        const item = texts.getItem(row) as DuckDBBlobValue | null
        output.setItem(row, call(textOf(item)))
      }
      output.flush()
    },
  })
}

export function textOf(bytes: DuckDBBlobValue | null): string | null {
  return bytes && Buffer.from(bytes.bytes).toString('utf8')
}

export function plainRow(row: Record<string, DuckDBValue>): ResultRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plainValue(value)]))
}

export async function* batchesOf(
  attempt: <T>(use: () => Promise<T>) => Promise<T>,
  streamed: Streamed,
  names: readonly string[],
): AsyncGenerator<ResultRow[]> {
  for (;;) {
    const chunk = await attempt(() => streamed.next())
    if (!chunk) return
    yield chunk.getRowObjects(names).map(plainRow)
  }
}

export function resultColumns(result: DuckDBResult, names: readonly string[]): ResultColumn[] {
  return result.columnTypes().map((type, i) => ({
    name: names[i] as string,
    type: columnTypeOf(type),
    sqlType: String(type),
  }))
}
