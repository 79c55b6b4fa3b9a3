import { it } from 'vitest'
import { workers } from '../../../src/define/index.js'
import { compareGenerated } from '../../support/compare-generated.js'
import { amount, sample } from '../../support/effort.js'
import { definitionOf, generatedDatasets } from '../../support/generated-lakes.js'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * Generated schemas, keys and deletions, and hostile rows: what one process makes of them is what
 * workers make of them, whole or in parts. On Spark the same is tried in `test/foreign/spark`.
 */

const SCHEMAS = amount(8, 24, 100)

for (const parts of sample([1, 2, 7], 1, 3))
  it(`${SCHEMAS} schemas give the same rows, reasons, counts and offsets by processes in ${parts} parts`, async () => {
    const datasets = generatedDatasets(SCHEMAS, seed)
    const project = await Project.create({ 'lake.ts': definitionOf(datasets) })
    await compareGenerated(project, datasets, { processes: { instead: workers(2), parts } }, [0, 1])
  })
