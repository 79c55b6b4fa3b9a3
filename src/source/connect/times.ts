/** Microseconds since 1970 as a text in UTC: `2026-01-31 12:00:00.123456`. */
export function microsText(micros: number): string {
  const whole = Math.floor(micros / 1000)
  const rest = String(micros - whole * 1000).padStart(3, '0')
  return `${new Date(whole).toISOString().replace('T', ' ').replace('Z', '')}${rest}`
}
