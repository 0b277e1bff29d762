import { csvOfJson } from '../../http/encoders/csv-of-json.ts'
import { METRIC_CSV, type MetricRepository } from '../../repositories/metric-repository.ts'
import type { Listing } from './listing.ts'

interface MetricDefinition {
  readonly name: string
  readonly type: string
  readonly unit?: string
  readonly description?: string
  readonly temporality?: string
}

/** The metrics that there are, by name. */
export function definitionListing(metrics: MetricRepository): Listing<MetricDefinition> {
  return {
    noun: 'metrics',
    first: 'the first',
    columns: [
      { heading: 'NAME', cell: ({ name }) => name, maxWidth: 60 },
      { heading: 'TYPE', cell: ({ type }) => type },
      { heading: 'UNIT', cell: ({ unit = '' }) => unit, maxWidth: 16 },
      {
        heading: 'TEMPORALITY',
        cell: ({ temporality = '' }) => temporality,
        needsWidth: 120,
      },
      { heading: 'DESCRIPTION', cell: ({ description = '' }) => description, style: () => 'faint' },
    ],
    csv: METRIC_CSV,
    open: async ({ form, limit, signal }) => {
      const rows = await metrics.streamDefinitions({ limit }, signal)
      return form === 'csv' ? csvOfJson(rows, METRIC_CSV) : rows
    },
  }
}
