import type { Style } from '../query/paint.ts'

/** Not those that levels have. */
const STYLES: readonly Style[] = [
  'cyan',
  'magenta',
  'blue',
  'brightCyan',
  'brightMagenta',
  'brightBlue',
  'brightGreen',
  'brightYellow',
]

/** The color of a service: always the same, by a hash of its name (FNV-1a), in whichever order services come. */
export function serviceStyle(service: string): Style {
  let hash = 0x811c9dc5
  for (let at = 0; at < service.length; at += 1)
    hash = Math.imul(hash ^ service.charCodeAt(at), 0x01000193) >>> 0
  // The low bits alone depend on little of the name.
  return STYLES[((hash ^ (hash >>> 15)) >>> 0) % STYLES.length] ?? 'cyan'
}
