import { rm, writeFile } from 'node:fs/promises'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { mapLocations } from '../define/call-site.js'
import { takeMistakes } from '../define/problems/mistakes.js'
import { MoraineError, type SourceLocation } from '../errors.js'
import { scratchFolder } from '../storage/scratch.js'
import { missingExport, thrownByUser, withMistakes } from './load-errors.js'

/** What a module exports, by name. */
export type Module = Readonly<Record<string, unknown>>

/**
 * Runs the bundle; its source map leads places of datasets and of errors back to the user's files.
 */
export async function evaluate(code: string, file: string): Promise<Module> {
  const folder = await scratchFolder('lake')
  const bundle = join(folder, 'lake.mjs')
  const map = mapOf(code, dirname(file))
  const original = placesIn(map, bundle)
  const stop = mapLocations(original)
  const before = process.sourceMapsEnabled
  process.setSourceMapsEnabled(false)
  // Those of a definition that was loaded before and never put together are not this one's.
  takeMistakes()
  try {
    await writeFile(bundle, withMap(code, map))
    return await import(pathToFileURL(bundle).href)
  } catch (error) {
    const thrown =
      error instanceof MoraineError
        ? error
        : (missingExport(error, code, original, bundle) ?? thrownByUser(error, file, original))
    throw withMistakes(thrown)
  } finally {
    stop()
    process.setSourceMapsEnabled(before)
    await rm(folder, { recursive: true, force: true })
  }
}

const MAP = '//# sourceMappingURL=data:application/json;base64,'

type Payload = SourceMapPayload | undefined

/** The bundle's source map, with whole paths: whoever reads it then finds the user's files. */
function mapOf(code: string, folder: string): Payload {
  const at = code.lastIndexOf(MAP)
  if (at < 0) return undefined
  const map = JSON.parse(Buffer.from(code.slice(at + MAP.length).trim(), 'base64').toString())
  const sources = map.sources.map((source: string) => resolve(folder, decodeURIComponent(source)))
  return { ...map, sources }
}

function withMap(code: string, map: Payload): string {
  // Readers decode sources as parts of URLs.
  const sources = map?.sources.map((source) => source.replaceAll('%', '%25'))
  const encoded = Buffer.from(JSON.stringify({ ...map, sources })).toString('base64')
  return map ? `${code.slice(0, code.lastIndexOf(MAP))}${MAP}${encoded}\n` : code
}

/** Leads places in the bundle back to the files it was made from. */
function placesIn(payload: Payload, bundle: string): (place: SourceLocation) => SourceLocation {
  if (!payload) return (place) => place
  const map = new SourceMap(payload)
  return (place) => {
    if (place.file !== bundle) return place
    const found = map.findEntry(place.line - 1, place.column - 1)
    if (!('originalSource' in found)) return place
    const { originalSource: file, originalLine, originalColumn } = found
    return { file, line: originalLine + 1, column: originalColumn + 1 }
  }
}
