/**
 * The seed of property tests that go through an engine: fixed, so that a run is repeatable; another one
 * with `MORAINE_SEED=random` or a number.
 */
export const seed =
  process.env.MORAINE_SEED === 'random' ? Date.now() : Number(process.env.MORAINE_SEED ?? 2008)
