/** What a token is for: `ingest` sends telemetry, `read` asks for it, `admin` does both. */
export const ACCESS_ROLES = ['ingest', 'read', 'admin'] as const
export type AccessRole = (typeof ACCESS_ROLES)[number]

/** Who may ask a route: `anyone` without a token, else whoever has one of this role. */
export type NeededRole = 'anyone' | 'ingest' | 'read'

export function mayAsk(role: AccessRole, needed: NeededRole): boolean {
  return needed === 'anyone' || role === 'admin' || role === needed
}
