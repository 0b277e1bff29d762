import { Argument, Command } from 'commander'
import { POINT_COLUMNS } from '../../repositories/metric-repository.ts'
import { definitionListing } from './definition-listing.ts'
import { pointListing } from './point-listing.ts'
import {
  addFilterFlags,
  addOutputFlags,
  type QueryFlags,
  readConditions,
  refuseFlags,
} from './query-flags.ts'
import { runQuery } from './run-query.ts'
import { writeListing } from './write-listing.ts'

const EXAMPLES = `
Without a name: which metrics there are. With one: its points.

Examples:
  observatory query metrics
  observatory query metrics gen_ai.client.token.usage --from -1h
  observatory query metrics http.server.request.duration --attr http.route=/chat --format csv`

/** `observatory query metrics`. */
export function metricsCommand(): Command {
  const command = addFilterFlags(
    new Command('metrics')
      .description('List metrics, or the points of one.')
      .addArgument(new Argument('[name]', 'one metric, as the list has it')),
    POINT_COLUMNS,
    ['name'],
  )
  return addOutputFlags(command, { noun: 'metrics or points', isOrdered: true })
    .addHelpText('after', EXAMPLES)
    .action(queryMetrics)
}

async function queryMetrics(name: string | undefined, flags: QueryFlags): Promise<void> {
  const { order, limit } = flags
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
