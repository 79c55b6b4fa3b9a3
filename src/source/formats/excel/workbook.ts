import { MoraineError } from '../../../errors.js'
import type { SourceFile } from '../../files/source-file.js'
import { damaged, Package } from './package.js'
import { SharedStrings } from './shared-strings.js'
import { kindOfFormat, type NumberKind } from './values.js'

/** A sheet with rows; sheets that are charts have none. */
export interface SheetPart {
  name: string
  path: string
  hidden: boolean
}

/** What is known of a workbook before its rows are read. */
export interface Workbook {
  parts: Package
  sheets: readonly SheetPart[]
  /** The year in which days begin to be counted. */
  system: 1900 | 1904
  /** What numbers mean, by the style of their cell. */
  kinds: readonly NumberKind[]
  strings: SharedStrings
  /** It asks to be computed when it is opened: whoever wrote it did not compute its formulas. */
  computesOnLoad: boolean
}

interface Target {
  type: string
  path: string
}

/**
 * Opens a workbook: `.xlsx`, `.xlsm`, in either of the standard's two dialects.
 *
 * @throws MoraineError of kind `source` when it is none, damaged, or encrypted. Otherwise `parts`
 *   is to be closed.
 */
export async function openWorkbook(file: SourceFile): Promise<Workbook> {
  const parts = await Package.open(file)
  try {
    const main = [...(await relations(parts, '')).values()].find(isKind('officeDocument'))
    if (!main || !parts.has(main.path))
      throw new MoraineError('source', `${file.name} is not an Excel workbook`, {
        hint: 'Nothing was ingested from it. It is another kind of Office file.',
      })
    const related = await relations(parts, main.path)
    const { sheets, system, root, computesOnLoad } = await readMain(parts, main.path, related)
    if (root !== 'workbook')
      throw new MoraineError('source', `${file.name} is not an Excel workbook, but a ${root}`, {
        hint: 'Nothing was ingested from it. It is another kind of Office file.',
      })
    const styles = [...related.values()].find(isKind('styles'))
    const kinds = styles && parts.has(styles.path) ? await readKinds(parts, styles.path) : []
    const shared = [...related.values()].find(isKind('sharedStrings'))
    const strings =
      shared && parts.has(shared.path)
        ? await SharedStrings.read(file, parts, shared.path)
        : SharedStrings.none
    if (sheets.length === 0) throw damaged(file, new Error('it has no sheet with rows'))
    return { parts, sheets, system, kinds, strings, computesOnLoad }
  } catch (error) {
    parts.close()
    throw error
  }
}

/** Types of relations end alike in both dialects of the standard. */
const isKind =
  (kind: string) =>
  ({ type }: Target) =>
    type.endsWith(`/${kind}`)

/** What a part refers to, by id. */
async function relations(parts: Package, of: string): Promise<Map<string, Target>> {
  const folder = of.slice(0, of.lastIndexOf('/') + 1)
  const path = `${folder}_rels/${of.slice(folder.length)}.rels`
  const found = new Map<string, Target>()
  if (!parts.has(path)) return found
  await parts.read(path, {
    open: (name, { Id = '', Type = '', Target = '', TargetMode }) => {
      if (name !== 'Relationship' || TargetMode === 'External') return
      found.set(Id, { type: Type, path: resolvePart(folder, Target) })
    },
  })
  return found
}

/** A path in a package, from the part that names it: nothing is above its root. */
function resolvePart(folder: string, target: string): string {
  const names: string[] = target.startsWith('/') ? [] : folder.split('/').filter(Boolean)
  for (const name of target.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names.join('/')
}

async function readMain(parts: Package, path: string, related: ReadonlyMap<string, Target>) {
  const sheets: SheetPart[] = []
  let system: 1900 | 1904 = 1900
  let root = ''
  let computesOnLoad = false
  await parts.read(path, {
    open: (element, attributes) => {
      root ||= element
      const { name = '', state = 'visible', date1904 } = attributes
      if (element === 'workbookPr' && isTrue(date1904)) system = 1904
      if (element === 'calcPr' && isTrue(attributes.fullCalcOnLoad)) computesOnLoad = true
      if (element !== 'sheet') return
      const id = Object.entries(attributes).find(([key]) => /(^|:)id$/.test(key))?.[1] ?? ''
      const target = related.get(id)
      if (target && isKind('worksheet')(target))
        sheets.push({ name, path: target.path, hidden: state !== 'visible' })
    },
  })
  return { sheets, system, root, computesOnLoad }
}

export const isTrue = (text: string | undefined) => text === '1' || text === 'true'

/** What numbers mean in cells of each style (ECMA-376 part 1, 18.8.10). */
async function readKinds(parts: Package, path: string): Promise<NumberKind[]> {
  const codes = new Map<number, string>()
  const kinds: NumberKind[] = []
  let isCell = false
  await parts.read(path, {
    open: (name, { numFmtId = '0', formatCode }) => {
      if (name === 'numFmt' && formatCode !== undefined) codes.set(Number(numFmtId), formatCode)
      else if (name === 'cellXfs') isCell = true
      else if (name === 'xf' && isCell)
        kinds.push(kindOfFormat(Number(numFmtId), codes.get(Number(numFmtId))))
    },
    close: (name) => {
      if (name === 'cellXfs') isCell = false
    },
  })
  return kinds
}
