import { z } from 'zod'
import type { DescribedAnswer, DescribedRoute, DescribedRoutes } from './described.js'

/** A route as the application has it. */
interface Route {
  method: string
  path: string
}

/** Where Iceberg's own protocol is described, which its catalog speaks. */
const ICEBERG = 'https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml'

type Part = Readonly<Record<string, unknown>>

/**
 * The document of an application, of version 3.1 of OpenAPI: its own routes with the schemas that
 * requests are held against, and those of Iceberg's catalog by their paths.
 *
 * @throws Error for a route that nothing describes.
 */
export function documentOf(routes: readonly Route[], described: DescribedRoutes): Part {
  const paths: Record<string, Record<string, Part>> = {}
  for (const { method, path } of routes) {
    // What stands before others answers nothing by itself.
    if (method === 'ALL' && path.endsWith('*')) continue
    const found = described[`${method} ${path}`]
    const isIceberg = path.startsWith('/iceberg/')
    if (!found && !isIceberg) throw new Error(`Nothing describes ${method} ${path}`)
    const verb = method === 'ALL' ? 'post' : method.toLowerCase()
    const [shown, names] = templateOf(path)
    const all = paths[shown] ?? {}
    paths[shown] = all
    all[verb] = {
      operationId: `${verb} ${shown}`,
      ...(found ? operation(found, names) : ofIceberg(names)),
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Moraine',
      version: '1',
      description:
        'What moraine serve answers over HTTP. Requests that are signed as those to AWS are answered as Athena, Glue, S3 and STS answer them, whatever their path.',
    },
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        password: { type: 'http', scheme: 'basic' },
      },
    },
  }
}

/** A path as OpenAPI writes it, and the names of its parts. */
function templateOf(path: string): [path: string, names: string[]] {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  return [path.replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}'), names]
}

function operation(route: DescribedRoute, names: readonly string[]): Part {
  const { summary, access, query, headers, body, answers } = route
  const parameters = [
    ...pathParameters(names),
    ...(query ? parametersOf(query, 'query') : []),
    ...(headers ? parametersOf(headers, 'header') : []),
  ]
  return {
    summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: contentOf({ [body.type ?? 'application/json']: body.schema }, 'input'),
          },
        }
      : {}),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, response(answer)]),
    ),
    security: securityOf(access),
  }
}

function ofIceberg(names: readonly string[]): Part {
  return {
    summary: 'Of the Iceberg REST catalog',
    ...(names.length > 0 ? { parameters: pathParameters(names) } : {}),
    responses: { default: { description: 'As Iceberg describes it' } },
    externalDocs: { url: ICEBERG },
    security: [{ token: [] }, {}],
  }
}

const pathParameters = (names: readonly string[]): Part[] =>
  names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))

function parametersOf(schema: z.ZodObject, place: 'query' | 'header'): Part[] {
  return Object.entries(schema.shape).map(([name, one]) => ({
    ...{ name, in: place },
    required: !(one as z.ZodType).safeParse(undefined).success,
    schema: schemaOf(one as z.ZodType, 'input'),
  }))
}

function response({ description, content }: DescribedAnswer): Part {
  return { description, ...(content ? { content: contentOf(content, 'output') } : {}) }
}

function contentOf(content: NonNullable<DescribedAnswer['content']>, io: 'input' | 'output'): Part {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => [
      type,
      schema ? { schema: schemaOf(schema, io) } : {},
    ]),
  )
}

/** OpenAPI takes JSON Schema as it is, and names no dialect where it is the usual one. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Part {
  const { $schema: _, ...found } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return found
}

function securityOf(access: DescribedRoute['access']): Part[] {
  if (access === 'anyone') return []
  return access === 'principal' ? [{ token: [] }, { password: [] }] : [{ token: [] }, {}]
}
