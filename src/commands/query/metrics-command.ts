import { Argument, Command, Option } from 'commander'
import { ObservatoryError } from '../../errors.ts'
import { METRIC_TYPES } from '../../models/data-point.ts'
import { POINT_COLUMNS } from '../../repositories/metric-repository.ts'
import { readAggregates } from '../../repositories/metrics/aggregates.ts'
import { readLabels, readStep } from '../../repositories/read-grouping.ts'
import { definitionListing } from './definition-listing.ts'
import { readingFlags } from './flag-name.ts'
import { pointListing } from './point-listing.ts'
import {
  addFilterFlags,
  addOutputFlags,
  type QueryFlags,
  readConditions,
  refuseFlags,
} from './query-flags.ts'
import { runQuery } from './run-query.ts'
import { seriesListing } from './series-listing.ts'
import { writeListing } from './write-listing.ts'

const EXAMPLES = `
Without a name: which metrics there are. With one: its points, or with --agg a time
series; rates go on over restarts, percentiles of histograms are interpolated.

Examples:
  observatory query metrics
  observatory query metrics gen_ai.client.token.usage --from -1h
  observatory query metrics http.server.request.duration --attr http.route=/chat --format csv
  observatory query metrics http.server.request.duration --agg p50,p95,rate --by http.route --step 5m --from -1h`

/** `observatory query metrics`. */
export function metricsCommand(): Command {
  const command = addFilterFlags(
    new Command('metrics')
      .description('List metrics, or the points of one.')
      .addArgument(new Argument('[name]', 'one metric, as the list has it')),
    POINT_COLUMNS,
    ['name'],
  )
  return addOutputFlags(command, { noun: 'metrics or points', areRecords: true })
    .addOption(series('--agg <words>', 'avg, sum, min, max, count, last, rate, increase, p50, p99.9, …'))
    .addOption(series('--by <labels>', 'Labels: service, environment, names of attributes.'))
    .addOption(series('--step <duration>', 'One line for each so long: 30s, 5m, 1h, 1d.'))
    .addOption(series('--type <type>', 'Where metrics of several types have the name.').choices(METRIC_TYPES))
    .addOption(series('--unit <unit>', 'Where metrics of several units have the name.'))
    .addHelpText('after', EXAMPLES)
    .action(queryMetrics)
}

interface MetricFlags extends QueryFlags, Partial<Record<SeriesWord, string>> {}

function series(flags: string, description: string): Option {
  return new Option(flags, description).helpGroup('Time series:')
}

async function queryMetrics(name: string | undefined, flags: MetricFlags): Promise<void> {
  const { order, limit, format } = flags
  refuseStrayWords(name, flags)
  if (format === 'parquet' && (name === undefined || flags.agg !== undefined))
    throw new ObservatoryError('ERR_USAGE', '--format parquet: only for the points of a metric; use csv')
  if (name !== undefined && flags.agg !== undefined) return querySeries(name, flags)
  if (name === undefined) {
    const why = 'only for the points of a metric; name it: "observatory query metrics NAME"'
    refuseFlags(flags, ['from', 'to', 'service', 'environment', 'attr', 'order'], why)
    await runQuery(flags, ({ metrics, output }) => writeListing(definitionListing(metrics), limit, output))
    return
  }
  const filter = {
    ...readConditions({ ...flags, name }, POINT_COLUMNS),
    ...(order !== undefined && { order }),
  }
  await runQuery(flags, ({ metrics, output }) => writeListing(pointListing(metrics, filter), limit, output))
}

const SERIES_WORDS = ['agg', 'by', 'step', 'type', 'unit'] as const
type SeriesWord = (typeof SERIES_WORDS)[number]

/** @throws ObservatoryError ERR_USAGE for words of a time series where none is asked for, and for an order where there is one. */
function refuseStrayWords(name: string | undefined, flags: MetricFlags): void {
  const given = SERIES_WORDS.filter((word) => flags[word] !== undefined)
  if (given.length > 0 && (name === undefined || flags.agg === undefined)) {
    const words = given.map((word) => `--${word}`).join(', ')
    throw new ObservatoryError(
      'ERR_USAGE',
      `${words}: only for a time series; name the metric, and say --agg avg, rate, p95, …`,
    )
  }
  if (flags.agg !== undefined) refuseFlags(flags, ['order'], 'a time series has its own order, that of time')
}

async function querySeries(name: string, flags: MetricFlags): Promise<void> {
  const { limit, type, unit } = flags
  const words = readingFlags(() => ({
    aggregates: readAggregates(flags.agg),
    by: readLabels(flags.by),
    step: readStep(flags.step),
  }))
  const query = {
    name,
    ...(type !== undefined && { type }),
    ...(unit !== undefined && { unit }),
    conditions: readConditions(flags, POINT_COLUMNS),
    ...words,
  }
  await runQuery(flags, ({ metrics, output }) => writeListing(seriesListing(metrics, query), limit, output))
}
