/** Where the rows of a document of JSON seem to be. */
export interface RowsInside {
  /** The keys that lead to the only list of objects in it, with dots between them. */
  rows: string
  objects: number | undefined
  /** There is nothing else in the document. */
  isAll: boolean
}

/** Keys that lead to a list, at most. */
const DEEP = 5
/** A document that begins with nothing but the way to a list of objects. */
const WRAPPED = /^\s*((?:\{\s*"(?:[^"\\.]+)"\s*:\s*)+)\[\s*\{/

/**
 * Looks for the rows in an object of JSON: the only list of objects that it has. Of a text that is
 * cut off, only its beginning tells.
 */
export function rowsInside(text: string, isWhole: boolean): RowsInside | undefined {
  const plain = text.replace(/^\uFEFF/, '')
  if (!isWhole) {
    const [, way] = WRAPPED.exec(plain) ?? []
    const keys = [...(way ?? '').matchAll(/"([^"]+)"/g)].map(([, key]) => key)
    return way ? { rows: keys.join('.'), objects: undefined, isAll: true } : undefined
  }
  let document: unknown
  try {
    document = JSON.parse(plain)
  } catch {
    return undefined
  }
  const [found, ...others] = isObject(document) ? listsIn(document, []) : []
  return others.length === 0 ? found : undefined
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function listsIn(value: Record<string, unknown>, way: readonly string[]): RowsInside[] {
  const entries = Object.entries(value)
  return entries.flatMap(([key, inner]) => {
    const path = [...way, key]
    const isAlone = entries.length === 1
    if (Array.isArray(inner)) {
      const isRows = inner.length > 0 && inner.every(isObject) && !path.join('').includes('.')
      return isRows ? [{ rows: path.join('.'), objects: inner.length, isAll: isAlone }] : []
    }
    if (!isObject(inner) || path.length === DEEP) return []
    return listsIn(inner, path).map((one) => ({ ...one, isAll: one.isAll && isAlone }))
  })
}
