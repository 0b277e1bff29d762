import type { MetricType } from '../../models/data-point.ts'
import { type FilterColumns, whereSql } from '../filter.ts'
import type { MetricQuery } from './metric-query.ts'

/** Of `metric_series s` and its `resources r`. */
export const SERIES_COLUMNS: FilterColumns = {
  time: 'first_seen',
  timeUnixNano: 'first_seen',
  texts: { service: 's.service', environment: 'r.environment' },
  attributes: 's.attributes',
}

/** What a metric was found to be. */
export interface FoundMetric {
  readonly type: MetricType
  readonly unit: string | null
}

/** SQL of the series that are asked for, `series_id, temporality, labels`, and its parameters, to which more may be added. */
export function seriesSql(
  { name, conditions, by }: MetricQuery,
  { type, unit }: FoundMetric,
): { readonly text: string; readonly values: unknown[] } {
  const { from: _, to: __, ...others } = conditions
  const { where, values } = whereSql(others, SERIES_COLUMNS)
  const parameter = (value: unknown) => `$${values.push(value)}`
  const labels = by.map((label) => {
    const key = `${parameter(label)}::text`
    if (label === 'service') return `${key}, s.service`
    if (label === 'environment') return `${key}, r.environment`
    return `${key}, coalesce(s.attributes ->> ${key}, r.attributes ->> ${key})`
  })
  const text = `
    select s.series_id, m.temporality, jsonb_build_object(${labels.join(', ')}) as labels
    from metrics m join metric_series s on s.metric_id = m.metric_id
    left join resources r on r.resource_id = s.resource_id
    ${where} and m.name = ${parameter(name)} and m.type = ${parameter(type)} and m.unit is not distinct from ${parameter(unit)}`
  return { text, values }
}
