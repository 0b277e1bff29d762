import { randomInt } from 'node:crypto'
import { findFreePort } from '../../src/embedded/free-port.ts'

/**
 * A port of 127.0.0.1 that nothing listens on. It stays free while its server restarts: Linux gives ports from 32768 on to
 * whoever connects, so one of those may be another's in between.
 */
export function freePort(): Promise<number> {
  return findFreePort(10_000 + randomInt(15_000))
}
