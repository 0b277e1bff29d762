import { createHash, timingSafeEqual } from 'node:crypto'
import type { AccessRole, AccessToken } from '../../settings.ts'

/** Somebody whose token is known. */
export interface Caller {
  readonly role: AccessRole
  /** Which of the tokens it is: nothing of the token itself. */
  readonly id: string
}

/**
 * The tokens of the settings. What is presented is compared with each of them, by their SHA-256 and in a time that does not depend on where they differ; the tokens themselves are not kept.
 */
export class AccessTokens {
  readonly #tokens: readonly (Caller & { readonly digest: Buffer })[]

  constructor(tokens: readonly AccessToken[]) {
    this.#tokens = tokens.map((written, index) => {
      const [role = 'read'] = written.split(':') as [AccessRole]
      return { role, id: `token ${index + 1}`, digest: digestOf(written.slice(role.length + 1)) }
    })
  }

  /** Without any, everybody may ask everything. */
  get areNone(): boolean {
    return this.#tokens.length === 0
  }

  /**
   * Who it is that asks.
   *
   * @param authorization the header: `Bearer <token>` (RFC 6750), or `Basic` (RFC 7617) with the token as the password, which is what browsers ask people for.
   */
  callerOf(authorization: string | undefined): Caller | undefined {
    const presented = presentedBy(authorization)
    if (presented === undefined) return undefined
    const digest = digestOf(presented)
    let caller: Caller | undefined
    for (const token of this.#tokens) if (timingSafeEqual(token.digest, digest)) caller ??= token
    return caller
  }
}

function presentedBy(authorization = ''): string | undefined {
  const [, scheme = '', credentials = ''] = /^(\S+) +(\S+)\s*$/.exec(authorization) ?? []
  if (scheme.toLowerCase() === 'bearer') return credentials
  if (scheme.toLowerCase() !== 'basic') return undefined
  const pair = Buffer.from(credentials, 'base64').toString('utf8')
  return pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : undefined
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
