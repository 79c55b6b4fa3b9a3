import { expect, it } from 'vitest'
import { sayChange, schemaDiff } from './schema-diff.js'

const decimal = (precision: number, scale: number) => [
  { name: 'amount', type: { kind: 'decimal', precision, scale } as const },
]

it('says that Iceberg keeps the scale of a decimal, even where every value fits', () => {
  const [wider] = schemaDiff(decimal(9, 2), decimal(12, 2))
  expect(wider).toMatchObject({ breaking: false })
  expect(wider && sayChange(wider)).toBe('~ amount decimal(9,2) → decimal(12,2)')
  const [other] = schemaDiff(decimal(9, 2), decimal(12, 3))
  expect(other).toMatchObject({ breaking: true })
  expect(other && sayChange(other)).toMatch(
    /decimal\(9,2\) → decimal\(12,3\) \(Iceberg can't change the scale of a decimal\)$/,
  )
})
