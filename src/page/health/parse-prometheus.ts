/** The samples of a metric. */
export interface Sample {
  readonly labels: string
  readonly value: number
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/

/** Reads the metrics of some names out of Prometheus' text format; of all others it looks at the name only. */
export function parsePrometheus(
  text: string,
  names: ReadonlySet<string>,
): ReadonlyMap<string, readonly Sample[]> {
  const found = new Map<string, Sample[]>()
  for (const line of text.split('\n')) {
    const end = line.search(/[{ ]/)
    if (end <= 0 || !names.has(line.slice(0, end))) continue
    const [, name, labels = '', value] = LINE.exec(line) ?? []
    if (name === undefined) continue
    const sample = { labels, value: Number(value) }
    const samples = found.get(name)
    if (samples === undefined) found.set(name, [sample])
    else samples.push(sample)
  }
  return found
}
