/** What may stand at a place of a commit: anything, or an object, map or list of known content. */
export type Shape = (
  | { kind: 'any' }
  | { kind: 'object'; fields: Readonly<Record<string, Shape>> }
  | { kind: 'map' | 'list'; of: Shape }
) & {
  /** The feature that brought it, where that is younger than the format. */
  feature?: string
}

export const any: Shape = { kind: 'any' }

/**
 * An object of exactly the fields of `T`: one that is added to the type must be added here, or it
 * does not compile.
 */
export function object<T>(fields: { readonly [K in keyof Required<T>]: Shape }): Shape {
  return { kind: 'object', fields }
}

/** An object whose names are datasets or the like. */
export const map = (of: Shape): Shape => ({ kind: 'map', of })

export const list = (of: Shape): Shape => ({ kind: 'list', of })

/** Marks what a feature brought. */
export const since = (feature: string, shape: Shape = any): Shape => ({ ...shape, feature })

/** What was found in a value: features in use, and fields that are not known. */
export interface Found {
  features: Set<string>
  /** Paths with `*` for names of maps and places of lists: `changes.tables.*.sha256`. */
  unknown: Set<string>
}

/** Looks for what a value has beside what is known. */
export function inspect(
  value: unknown,
  shape: Shape,
  path = '',
  found: Found = { features: new Set(), unknown: new Set() },
): Found {
  if (value === undefined || value === null) return found
  if (shape.feature) found.features.add(shape.feature)
  if (shape.kind === 'any') return found
  if (typeof value !== 'object') {
    found.unknown.add(path)
    return found
  }
  for (const [name, inner] of Object.entries(value)) {
    if (inner === undefined) continue
    const below = shape.kind === 'object' ? name : '*'
    const at = path ? `${path}.${below}` : below
    const next = shape.kind === 'object' ? fieldOf(shape.fields, name) : shape.of
    if (next) inspect(inner, next, at, found)
    else found.unknown.add(at)
  }
  return found
}

function fieldOf(fields: Readonly<Record<string, Shape>>, name: string): Shape | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

/** The paths at which features brought something. */
export function fieldsByFeature(
  shape: Shape,
  path = '',
  found = new Map<string, string[]>(),
): ReadonlyMap<string, readonly string[]> {
  if (shape.feature) found.set(shape.feature, [...(found.get(shape.feature) ?? []), path])
  const inner: [string, Shape][] =
    shape.kind === 'object'
      ? Object.entries(shape.fields)
      : shape.kind === 'any'
        ? []
        : [['*', shape.of]]
  for (const [name, next] of inner) fieldsByFeature(next, path ? `${path}.${name}` : name, found)
  return found
}
