import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { registerGauges } from '../../src/metrics/register-gauges.ts'
import { createMetrics } from '../../src/metrics.ts'
import { METRIC_SOURCES } from '../helpers/metric-sources.ts'

const COMMITTED = fileURLToPath(new URL('../../docs/metrics.md', import.meta.url))

interface Described {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labelNames: readonly string[]
}

/** Of the service's own; those of Node.js differ between systems. */
async function described(): Promise<readonly Described[]> {
  const metrics = createMetrics()
  registerGauges(metrics, METRIC_SOURCES)
  const labelsOf = (name: string) =>
    (metrics.registry.getSingleMetric(name) as unknown as { labelNames: readonly string[] }).labelNames
  const all = (await metrics.registry.getMetricsAsJSON()) as unknown as readonly Described[]
  return all
    .filter(({ name }) => name.startsWith('observatory_'))
    .map(({ name, type, help }) => ({ name, type, help, labelNames: labelsOf(name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function unitOf(name: string): string {
  return /_(seconds|bytes)(_total)?$/.exec(name)?.[1] ?? ''
}

function documentOf(metrics: readonly Described[]): string {
  const code = (text: string) => `\`${text}\``
  const rows = metrics.map(({ name, type, help, labelNames }) => {
    const cells = [code(name), type, unitOf(name), labelNames.map(code).join(', '), help]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return `# Metrics

What \`GET /metrics\` has, as Prometheus' text or, where it is asked for, OpenMetrics. Made from the registry by test/unit/metrics-doc.test.ts. Beside these
there are prom-client's own of the process, \`process_*\` and \`nodejs_*\`. Without a unit a metric counts what its name says.

At all times, in one scrape and for each signal, \`records_received_total\` = \`records_written_total\` + \`records_dead_lettered_total\` (over all reasons) +
\`records_duplicate_total\` + \`records_in_flight\`.

| name | type | unit | labels | what it is |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

describe('docs/metrics.md', () => {
  test('is what the registry has (WRITE_METRICS_DOC=1 writes it anew)', async () => {
    const text = documentOf(await described())
    if (process.env.WRITE_METRICS_DOC === '1') await writeFile(COMMITTED, text)
    expect(text).toBe(await readFile(COMMITTED, 'utf8'))
  })

  test('says what each metric is, and whatever is a time or a size has its unit in its name', async () => {
    const metrics = await described()
    expect(metrics.length).toBeGreaterThan(50)
    for (const { name, type, help } of metrics) {
      expect(help.length, name).toBeGreaterThan(15)
      if (/^(Time|When|How long)\b/.test(help)) expect(unitOf(name), name).toBe('seconds')
      if (/^Bytes\b/.test(help)) expect(unitOf(name), name).toBe('bytes')
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      // As promtool has it: base units, and none shortened.
      expect(name).not.toMatch(
        /_(ms|us|ns|s|sec|m|h|d|b|kb|mb|gb|milliseconds|minutes|hours|days|kilobytes|megabytes|percent)(_|$)/,
      )
    }
  })
})
