import type { AccessRole } from '../../settings.ts'

/** Who may ask a route: `anyone` without a token, else whoever has one of this role. */
export type NeededRole = 'anyone' | 'ingest' | 'read'

export function mayAsk(role: AccessRole, needed: NeededRole): boolean {
  return needed === 'anyone' || role === 'admin' || role === needed
}
