const regions = {
  Northeast: 'CT ME MA NH RI VT NJ NY PA',
  Midwest: 'IL IN MI OH WI IA KS MN MO NE ND SD',
  South: 'DE FL GA MD NC SC VA DC WV AL KY MS TN AR LA OK TX',
  West: 'AZ CO ID MT NV NM UT WY AK CA HI OR WA',
  Canada: 'AB BC MB NB NL NS NT NU ON PE QC SK YT',
}

/** The region of each state and province: the census's four, and Canada. */
export const states: Record<string, string> = Object.fromEntries(
  Object.entries(regions).flatMap(([region, codes]) =>
    codes.split(' ').map((code) => [code, region]),
  ),
)
