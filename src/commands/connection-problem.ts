import { codeOf, messageOf } from '../errors.ts'

const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Why a service could not be asked, and of its certificate what to do. @param error of fetch. */
export function connectionProblem(error: unknown): string {
  // "fetch failed" and "terminated" say nothing; their causes do.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = codeOf(cause) ?? ''
  const message = messageOf(cause)
  if (UNKNOWN_AUTHORITY.has(code))
    return `${message}: NODE_EXTRA_CA_CERTS is to name a file with the certificate of its authority`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${message} Ask it by a name of its certificate: --url https://…`
  return message
}
