import { type Finding, fail, ok } from './finding.ts'

/** As `engines` of package.json says. */
const OLDEST = { major: 20, minor: 19 }

/** Whether this Node.js is new enough. */
export function findNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const suits = major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)
  if (suits) return ok('Node.js', version)
  return fail('Node.js', version, `Install Node.js ${OLDEST.major}.${OLDEST.minor} or newer.`)
}
