/** There are so many colours of services (page.css). */
const HUES = 8

/**
 * The class that gives each service of a trace its colour: no two have one while there are enough, and a service mostly has the same in every trace.
 */
export function serviceHues(services: Iterable<string>): (service: string) => string {
  const hues = new Map<string, number>()
  const taken = new Set<number>()
  for (const service of [...new Set(services)].sort()) {
    let hue = hashOf(service) % HUES
    while (taken.has(hue) && taken.size < HUES) hue = (hue + 1) % HUES
    taken.add(hue)
    hues.set(service, hue)
  }
  return (service) => `hue-${hues.get(service) ?? 'none'}`
}

function hashOf(text: string): number {
  let hash = 2166136261
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619)
  return hash >>> 0
}
