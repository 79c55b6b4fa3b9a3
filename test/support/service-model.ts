import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/*
 * A service of AWS as botocore's model describes it: what its calls take, and what they answer.
 */

interface Shape {
  type: string
  members?: Record<string, { shape: string }>
  required?: string[]
  member?: { shape: string }
  key?: { shape: string }
  value?: { shape: string }
  enum?: string[]
  min?: number
  max?: number
  pattern?: string
}

interface Model {
  operations: Record<string, { input?: { shape: string }; output?: { shape: string } }>
  shapes: Record<string, Shape>
}

/** The folder of botocore's models, beside a Python that has it. */
export function modelFolder(python: string | undefined): string | undefined {
  if (python === undefined) return undefined
  try {
    const lib = join(dirname(dirname(python)), 'lib')
    const version = readdirSync(lib).find((name) => name.startsWith('python3'))
    return version && join(lib, version, 'site-packages/botocore/data')
  } catch {
    return undefined
  }
}

export class ServiceModel {
  private constructor(private readonly model: Model) {}

  static load(folder: string, service: string): ServiceModel {
    const [version = ''] = readdirSync(join(folder, service)).sort().reverse()
    const packed = readFileSync(join(folder, service, version, 'service-2.json.gz'))
    return new ServiceModel(JSON.parse(gunzipSync(packed).toString()) as Model)
  }

  /** What is wrong with the input, or the output, of a call. */
  problems(operation: string, side: 'input' | 'output', value: unknown): string[] {
    const found = this.model.operations[operation]
    if (!found) return [`there is no operation ${operation}`]
    const shape = found[side]?.shape
    return shape === undefined ? [] : this.of(shape, value, `${operation} ${side}`)
  }

  private of(name: string, value: unknown, at: string): string[] {
    const shape = this.model.shapes[name] as Shape
    const wrong = (why: string) => [`${at}: ${why}`]
    const length = (size: number) =>
      size < (shape.min ?? 0) || size > (shape.max ?? Number.POSITIVE_INFINITY)
        ? wrong(`${size} is not from ${shape.min} to ${shape.max}`)
        : []
    switch (shape.type) {
      case 'structure': {
        if (typeof value !== 'object' || value === null || Array.isArray(value))
          return wrong('no structure')
        const members = shape.members ?? {}
        const missing = (shape.required ?? []).filter((one) => !(one in value))
        return [
          ...missing.flatMap((one) => wrong(`${one} is missing`)),
          ...Object.entries(value).flatMap(([key, inner]) =>
            members[key]
              ? this.of(members[key].shape, inner, `${at}.${key}`)
              : wrong(`${key} is not known`),
          ),
        ]
      }
      case 'list':
        if (!Array.isArray(value)) return wrong('no list')
        return [
          ...length(value.length),
          ...value.flatMap((one, i) => this.of(shape.member?.shape as string, one, `${at}[${i}]`)),
        ]
      case 'map':
        if (typeof value !== 'object' || value === null) return wrong('no map')
        return Object.entries(value).flatMap(([key, inner]) => [
          ...this.of(shape.key?.shape as string, key, `${at} key`),
          ...this.of(shape.value?.shape as string, inner, `${at}.${key}`),
        ])
      case 'string':
        if (typeof value !== 'string') return wrong('no string')
        if (shape.enum && !shape.enum.includes(value))
          return wrong(`${value} is none of its values`)
        return length(value.length)
      case 'integer':
      case 'long':
        return Number.isInteger(value) ? length(value as number) : wrong('no whole number')
      case 'boolean':
        return typeof value === 'boolean' ? [] : wrong('no boolean')
      default:
        return []
    }
  }
}
