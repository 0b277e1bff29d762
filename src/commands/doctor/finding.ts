/** `fail` keeps the service from working or can lose data; `warn` may come to that. */
export type Level = 'ok' | 'warn' | 'fail'

/** What one check found. */
export interface Finding {
  readonly level: Level
  /** What was looked at: `PostgreSQL fsync`. */
  readonly check: string
  readonly found: string
  /** What to do; absent when nothing needs to be done. */
  readonly advice?: string
}

export function ok(check: string, found: string): Finding {
  return { level: 'ok', check, found }
}

export function warn(check: string, found: string, advice: string): Finding {
  return { level: 'warn', check, found, advice }
}

export function fail(check: string, found: string, advice: string): Finding {
  return { level: 'fail', check, found, advice }
}
