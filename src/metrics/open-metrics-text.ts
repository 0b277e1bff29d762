import type { Metrics } from '../metrics.ts'

export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/**
 * A registry as OpenMetrics, with exemplars. prom-client has the form too, but a registry of its own kind, which gives counters other names for good: one that serves
 * both forms is not to be had from it. The forms differ in what counters are called in the lines that describe them, and in the end.
 */
export async function openMetricsText({ registry, ingestExemplars }: Metrics): Promise<string> {
  const text = ingestExemplars.addTo(await registry.metrics())
  const described = text.replaceAll(/^# (HELP|TYPE) (\w+)_total /gm, '# $1 $2 ')
  return `${described.replaceAll(/\n{2,}/g, '\n')}# EOF\n`
}
