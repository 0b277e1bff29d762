import { StopRequested } from '../../lifecycle.ts'
import { EvaluationRepository } from '../../repositories/evaluation-repository.ts'
import { LogRecordRepository } from '../../repositories/log-record-repository.ts'
import { MetricRepository } from '../../repositories/metric-repository.ts'
import { StatisticsRepository } from '../../repositories/statistics-repository.ts'
import { TraceRepository } from '../../repositories/trace-repository.ts'
import { withPool } from '../with-pool.ts'
import { formatOf, type QueryFlags } from './query-flags.ts'
import type { QueryOutput } from './query-output.ts'

export interface OpenQuery {
  readonly traces: TraceRepository
  readonly logRecords: LogRecordRepository
  readonly metrics: MetricRepository
  readonly evaluations: EvaluationRepository
  readonly statistics: StatisticsRepository
  /** Standard output and standard error. */
  readonly output: QueryOutput
}

/** A stream may open its next query before the connection of the one before is given back. */
const USE = { name: 'query', connections: 2, relation: 'span_view' }

/** Runs a query on a database, as {@link withPool} does, and writes to the standard streams in the form that the flags and the terminal say. */
export async function runQuery(flags: QueryFlags, query: (open: OpenQuery) => Promise<void>): Promise<void> {
  const { stdout, stderr } = process
  await withPool(flags, USE, async ({ pool, signal }) => {
    const open = {
      traces: new TraceRepository(pool),
      logRecords: new LogRecordRepository(pool),
      metrics: new MetricRepository(pool),
      evaluations: new EvaluationRepository(pool),
      statistics: new StatisticsRepository(pool),
      output: { format: formatOf(flags, stdout), stdout, stderr, signal },
    }
    try {
      await query(open)
    } catch (error) {
      // Whoever has the output should know that it is not all.
      if (signal.reason instanceof StopRequested) stderr.write('interrupted: there may be more\n')
      throw error
    }
  })
}
