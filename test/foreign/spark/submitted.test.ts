import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished, vi } from 'vitest'
import { loadLake } from '../../../src/load/load.js'
import { portableDefinition } from '../../../src/load/workers/definition-file.js'
import { moraine, Project, repository } from '../../support/project.js'
import { withService } from '../../support/services.js'
import { python } from '../readers.js'
import { drawnOf, pythonOfSpark35 } from './sparks.js'

/*
 * The job of Glue, as Spark starts it: the same `runner.py`, by `spark-submit`, with arguments as
 * Glue passes them. What it can't show is Glue itself.
 */

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
console.log(\`loaded by \${process.argv.at(-1)}\`)
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), amount: t.decimal(12, 2).min(process.env.LOWEST ?? '0'), note: z.string().refine((text) => text !== 'bad', 'is bad') }),
  key: 'id',
})
const total = gold('total', { query: sql\`select count(*) as n, sum(amount) as amount from \${orders}\` })
export default defineLake({ name: 'shop', datasets: [total] })
`
const csv = (from: number) =>
  [
    'id,amount,note',
    ...Array.from(
      { length: 300 },
      (_, i) => `${from + i},${i}.25,${i % 50 === 7 ? 'bad' : 'fine'}`,
    ),
    '',
  ].join('\n')

function suite(name: string, program: string | undefined): void {
  withService(name, [program], () => {
    it('runs a job of the lake with the arguments of Glue, and its rows are those of a run here', async () => {
      const project = await Project.create({ 'lake.ts': lake, 'project/in/1.csv': csv(0) })
      const file = join(project.folder, 'lake.ts')
      const archive = join(project.folder, 'moraine-spark.tar.gz')
      expect((await moraine(['bundle', '--spark', archive])).code).toBe(0)
      const definition = join(project.folder, 'lake.mjs')
      const { bytes } = await portableDefinition(file, await loadLake(file))
      await writeFile(definition, bytes)
      const submit = (args: readonly string[]) =>
        promisify(execFile)(
          join(dirname(program as string), 'spark-submit'),
          [
            '--master',
            'local[2]',
            '--conf',
            'spark.ui.enabled=false',
            join(repository, 'src/engine/spark/runner.py'),
            ...args,
          ],
          {
            env: { ...process.env, PYSPARK_PYTHON: program, MORAINE_PYTHON: '' },
            maxBuffer: 2 ** 26,
          },
        ).then(
          ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
          (error: { code: number; stdout: string; stderr: string }) => error,
        )
      const root = join(project.folder, 'lake')
      const given = [
        ...[
          '--JOB_NAME',
          'shop-by-hand',
          '--job-language',
          'python',
          '--enable-auto-scaling',
          'true',
        ],
        ...[
          '--MORAINE_ROOT',
          root,
          '--MORAINE_DEFINITION',
          definition,
          '--MORAINE_ARCHIVE',
          archive,
        ],
        ...['--MORAINE_ENVIRONMENT', JSON.stringify({ LOWEST: '20' })],
      ]
      // The folder of the project is beside the definition, as in the package of a function.
      const ran = await submit([...given, '--MORAINE_JOB=by-hand'])
      expect(ran.code, ran.stderr.slice(-3000) + ran.stdout).toBe(0)
      expect(ran.stdout).toContain(
        '"event":"step finished","job":"by-hand","dataset":"silver.orders"',
      )
      // Silver was built where Spark has put its task.
      expect(ran.stdout + ran.stderr).toContain('loaded by worker')
      const here = await Project.create({ 'lake.ts': lake, 'in/1.csv': csv(0) })
      // What the job was deployed with, executors have as well.
      vi.stubEnv('LOWEST', '20')
      onTestFinished(() => void vi.unstubAllEnvs())
      await here.run()
      for (const query of [
        'select id, amount, note from silver.orders order by id',
        'select * from gold.total',
      ])
        expect(await project.query(query)).toEqual(await here.query(query))
      const wrong = await submit([...given, '--MORAINE_JOB', 'by-hnad'])
      expect(wrong.code).not.toBe(0)
      expect(wrong.stderr + wrong.stdout).toContain('Did you mean by-hand?')
      const lacking = await submit([
        ...given,
        '--MORAINE_ARCHIVE',
        's3://bucket/gone.tar.gz',
        '--MORAINE_JOB',
        'by-hand',
      ])
      expect(lacking.stderr + lacking.stdout).toContain('s3://bucket/gone.tar.gz is not here')
    })
  })
}

const drawn = drawnOf('Spark 4.1', 'Spark 3.5')
if (drawn.has('Spark 4.1')) suite('Spark 4.1', python)
if (drawn.has('Spark 3.5')) suite('Spark 3.5', pythonOfSpark35)
