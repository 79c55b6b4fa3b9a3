/*
 * The part of DQDL that rulesets of ours may use, as its grammar says it:
 * https://github.com/awslabs/dqdl, configuration/dqdl/DataQualityDefinitionLanguage.g4 and
 * CommonLexerRules.g4 (commit d360214); which rules there are, and with how many parameters, is of
 * configuration/rules/rules-config.json.
 */

/** Rules by their names: how many parameters, and whether a condition follows. */
const rules: Readonly<Record<string, { least: number; most: number; condition: boolean }>> = {
  RowCount: { least: 0, most: 0, condition: true },
  IsComplete: { least: 1, most: 1, condition: false },
  IsUnique: { least: 1, most: Number.POSITIVE_INFINITY, condition: false },
  IsPrimaryKey: { least: 1, most: Number.POSITIVE_INFINITY, condition: false },
  ColumnValues: { least: 1, most: 1, condition: true },
  ReferentialIntegrity: { least: 2, most: 2, condition: true },
}

type Token = { kind: 'string' | 'number' | 'word' | 'sign'; text: string }

function tokens(text: string): Token[] {
  const found: Token[] = []
  let rest = text
  while (rest !== '') {
    const [, space, string, number, word, sign] =
      // Of `QUOTE (ESC | .)*? QUOTE` the shortest is taken that lets the rest be read.
      /^(?:([ \t\n]+)|("(?:\\["\\]|[^"])*?")|(-?\d+(?:\.\d+)?)|([a-zA-Z_][\w.]*)|(>=|<=|[=<>!,()[\]]))/s.exec(
        rest,
      ) ?? []
    const text = space ?? string ?? number ?? word ?? sign
    if (text === undefined) throw new Error(`no token: ${rest.slice(0, 40)}`)
    rest = rest.slice(text.length)
    if (string !== undefined) found.push({ kind: 'string', text: unquoted(string) })
    else if (number !== undefined) found.push({ kind: 'number', text })
    else if (word !== undefined) found.push({ kind: 'word', text })
    else if (sign !== undefined) found.push({ kind: 'sign', text })
  }
  return found
}

const unquoted = (text: string) => text.slice(1, -1).replace(/\\(["\\])/g, '$1')

export interface DqdlRule {
  type: string
  parameters: string[]
  /** `['>=', '3']`, `['in', 'a', null]`. */
  condition?: (string | null)[]
}

/**
 * Parses a ruleset.
 *
 * @throws Error for what the grammar, or the list of rules, does not have.
 */
export function parseDqdl(text: string): DqdlRule[] {
  const all = tokens(text)
  let at = 0
  const next = () => all[at++] ?? { kind: 'sign' as const, text: 'end' }
  const peek = () => all[at] ?? { kind: 'sign' as const, text: 'end' }
  const expect = (...texts: string[]) => {
    const token = next()
    if (token.kind === 'string' || !texts.includes(token.text))
      throw new Error(`expected ${texts.join(' or ')}, found ${token.text}`)
    return token.text
  }
  const value = (): string | null => {
    const { kind, text: found } = next()
    if (kind === 'string' || kind === 'number') return found
    if (kind === 'word' && /^(NULL|null)$/.test(found)) return null
    throw new Error(`expected a value, found ${found}`)
  }
  const condition = (): (string | null)[] => {
    const op = expect('>', '>=', '<', '<=', '=', 'in')
    if (op !== 'in') return [op, value()]
    expect('[')
    const values = [value()]
    while (expect(',', ']') === ',') values.push(value())
    return [op, ...values]
  }
  expect('Rules')
  expect('=')
  expect('[')
  const found: DqdlRule[] = []
  do {
    const { kind, text: type } = next()
    const known = kind === 'word' ? rules[type] : undefined
    if (!known) throw new Error(`no rule: ${type}`)
    const rule: DqdlRule = { type, parameters: [] }
    while (peek().kind === 'string') rule.parameters.push(next().text)
    const n = rule.parameters.length
    if (n < known.least || n > known.most) throw new Error(`${type} has ${n} parameters`)
    if (![',', ']'].includes(peek().text)) rule.condition = condition()
    if ((rule.condition !== undefined) !== known.condition) throw new Error(`${type}: condition`)
    found.push(rule)
  } while (expect(',', ']') === ',')
  if (at !== all.length) throw new Error(`after the end: ${peek().text}`)
  return found
}
