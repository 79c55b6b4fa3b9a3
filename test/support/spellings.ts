/** Functions that standard SQL has as well (SQL:2023), and that mean the same there. */
const standard = new Set(
  `abs acos any_value array_agg asin atan avg ceil ceiling coalesce corr cos count covar_pop covar_samp
   cume_dist dense_rank exp extract first_value floor greatest lag last_value lead least ln log10 lower
   lpad ltrim max min mod nth_value ntile nullif octet_length percent_rank position power rank
   row_number rpad rtrim sin sqrt stddev_pop stddev_samp substring sum tan trim upper var_pop var_samp`.split(
    /\s+/,
  ),
)

/** What DuckDB's grammar has beyond the standard, as far as it is told from other text. */
const syntax = [
  /\b(?:TRY_CAST|TRY|COLUMNS|STRUCT|MAP)\(/,
  /\b(?:QUALIFY|HUGEINT|UBIGINT|UHUGEINT|PRAGMA|TIMESTAMPTZ|SUMMARIZE)\b/,
  /\bBY NAME\b/,
  /\* (?:REPLACE|EXCLUDE)\b/,
  /\bEXCLUDE \(/,
  /\blambda \w+:/,
  // CloudFormation names kinds of resources and its functions so.
  /(?<!:|\b(?:AWS|Fn)(?:::\w+)?)::(?:[A-Z]|…)/,
  /\w := /,
  /\b(?:VARCHAR|BIGINT|INTEGER|DOUBLE)\[\]/,
  /\b(?:ANTI|SEMI|ASOF|POSITIONAL) JOIN\b/,
  /\) \/\/ \d/,
  /\bUSING SAMPLE\b/,
  /\bCREATE (?:OR REPLACE )?TEMP\b/,
  /\b(?:GROUP|ORDER) BY ALL\b/,
  /\(FROM /,
  /\bDISTINCT ON\b/,
  /\bFILTER \((?!WHERE)/,
  /\bAS JSON\b/,
  /\browid\b/,
  /^FROM /,
  /\bINTERVAL '?[\d…]+'? (?:DAY|MICROSECOND|MINUTE)\b/,
  /\bDATE '[\d-]+' \+/,
]

/** What the texts of code say that DuckDB understands and the standard does not have. */
export function spellingsIn(code: string, functions: readonly string[]): string[] {
  const own = functions.filter((name) => /^\w+$/.test(name) && !standard.has(name))
  const calls = new RegExp(`(?<![.\\w…])(?:${own.join('|')})\\(`, 'gi')
  const all = [calls, ...syntax.map(({ source }) => new RegExp(source, 'g'))]
  const texts = textsIn(code)
  return all.flatMap((one) => texts.flatMap((text) => text.match(one) ?? []))
}

/**
 * The texts that stand in code: of templates, what is between their `${}`. Comments and regular
 * expressions are none.
 */
function textsIn(code: string): string[] {
  const found: string[] = []
  let at = 0
  /** Passes over code to the brace that ends it, or to its end. */
  const inCode = () => {
    let depth = 0
    let before = ''
    while (at < code.length) {
      const char = code[at] as string
      if (char === '}' && depth-- === 0) return
      if (char === '{') depth++
      if (code.startsWith('//', at)) at = ends(code, '\n', at)
      else if (code.startsWith('/*', at)) at = ends(code, '*/', at)
      else if (char === "'" || char === '"') inQuotes(char)
      else if (char === '`') inTemplate()
      else if (char === '/' && !/[\w)\]]/.test(before)) inRegex()
      else at++
      if (!/\s/.test(char)) before = char
    }
  }
  const inQuotes = (quote: string) => {
    const start = ++at
    while (at < code.length && code[at] !== quote) at += code[at] === '\\' ? 2 : 1
    found.push(code.slice(start, at++))
  }
  const inTemplate = () => {
    let text = ''
    for (at++; at < code.length && code[at] !== '`'; ) {
      if (code.startsWith('${', at)) {
        at += 2
        inCode()
        at++
        text += '…'
      } else {
        const width = code[at] === '\\' ? 2 : 1
        text += code.slice(at, at + width)
        at += width
      }
    }
    at++
    found.push(text)
  }
  const inRegex = () => {
    let inClass = false
    for (at++; at < code.length && (inClass || code[at] !== '/') && code[at] !== '\n'; at++) {
      if (code[at] === '\\') at++
      else if (code[at] === '[') inClass = true
      else if (code[at] === ']') inClass = false
    }
    at++
  }
  inCode()
  return found
}

function ends(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from)
  return at < 0 ? text.length : at + mark.length
}
