import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'
import type { Lake } from '../../define/lake.js'
import { MoraineError } from '../../errors.js'
import { builtFile } from '../../home.js'
import { archiveFiles, tarOf } from '../../load/workers/archive.js'
import { portableDefinition } from '../../load/workers/definition-file.js'
import { SPARK_FILES } from '../template/services/spark.js'
import { carriedFiles } from './carried-files.js'
import { neededPeers } from './needed-peers.js'

/** Workers of Glue: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html */
const SYSTEM = 'linux-x64'

/**
 * Packs what a lake's jobs of Glue need: the program that Spark starts, Node and Moraine with its
 * packages, and the definition with the project's files that it reads.
 *
 * @param system that of this machine, whose Node is packed.
 * @returns bytes by what stands behind the name of the functions' zip.
 * @throws MoraineError of kind `usage` on a machine whose programs do not run in Glue.
 */
export async function packSpark(
  { file, lake }: { file: string; lake: Lake },
  system = `${process.platform}-${process.arch}`,
): Promise<Map<string, Uint8Array>> {
  if (system !== SYSTEM)
    throw new MoraineError(
      'usage',
      `Jobs of Glue run on ${SYSTEM}, and their package would be made of the Node of ${system}`,
      {
        hint: 'Deploy from a machine with Linux on x64, such as one of CI, or remove glue from aws({ … }).',
      },
    )
  const { inside, beside } = await neededPeers(lake)
  const archive = archiveFiles(true, [...inside, ...beside.keys()])
  const { bytes } = await portableDefinition(file, lake)
  const carried = await carriedFiles(file, lake)
  const definition = [
    { path: 'lake.mjs', content: bytes },
    ...[...carried].map(([path, content]) => ({ path: `project/${path}`, content })),
  ].map(({ path, content }) => ({ path, content, isExecutable: false }))
  const zipped = (of: Parameters<typeof tarOf>[0]) =>
    buffer(Readable.from(tarOf(of)).pipe(createGzip()))
  return new Map<string, Uint8Array>([
    [SPARK_FILES.runner, await readFile(fileURLToPath(builtFile('engine/spark/runner.py')))],
    [SPARK_FILES.archive, await zipped(archive)],
    [SPARK_FILES.definition, await zipped(definition)],
  ])
}
