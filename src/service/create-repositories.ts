import type pg from 'pg'
import { DeadLetterRepository } from '../repositories/dead-letter-repository.ts'
import { EvaluationRepository } from '../repositories/evaluation-repository.ts'
import { LogRecordRepository } from '../repositories/log-record-repository.ts'
import { MetricRepository } from '../repositories/metric-repository.ts'
import type { ResultCache } from '../repositories/result-cache.ts'
import { ServiceRepository } from '../repositories/service-repository.ts'
import { SessionRepository } from '../repositories/session-repository.ts'
import { StatisticsRepository } from '../repositories/statistics-repository.ts'
import { TraceRepository } from '../repositories/trace-repository.ts'

/** All of them on one pool; those that add up share the cache. */
export function createRepositories(pool: pg.Pool, cache: ResultCache | undefined) {
  return {
    traces: new TraceRepository(pool),
    logRecords: new LogRecordRepository(pool),
    metrics: new MetricRepository(pool, cache),
    deadLetters: new DeadLetterRepository(pool),
    evaluations: new EvaluationRepository(pool),
    services: new ServiceRepository(pool),
    sessions: new SessionRepository(pool),
    statistics: new StatisticsRepository(pool, cache),
  }
}
