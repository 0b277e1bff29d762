import { SPAN_KINDS } from '../../models/decode-span-status.ts'
import { TELEMETRY_SIGNALS } from '../../models/telemetry-signal.ts'
import { EVALUATION_GROUPS } from '../../repositories/evaluation-repository.ts'
import type { GroupedSource } from '../../repositories/grouped-query.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  METRIC_STATISTICS,
  SPAN_STATISTICS,
} from '../../repositories/statistics-repository.ts'
import { arrayOf, integer, type JsonSchema, nullable, object, oneOf, ref, text } from './json-schema.ts'

const errorCount = integer()
const errorRate = nullable({ type: 'number', minimum: 0, maximum: 1 })

/** What one group is called, by the words of `by`. */
function groupMembers(groups: Readonly<Record<string, string>>): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(Object.keys(groups).map((word) => [word, nullable(text('Where by names it.'))]))
}

function groupSchema({ groups }: GroupedSource, measures: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return object(measures, {
    timeUnixNano: ref('UnixNano', 'Beginning of the step, with step.'),
    ...groupMembers(groups),
  })
}

/** What is counted and measured. */
export const STATISTIC_SCHEMAS = {
  SpanStatistics: groupSchema(SPAN_STATISTICS, {
    count: integer(),
    rate: nullable({
      type: 'number',
      minimum: 0,
      description:
        'Spans a second of the time asked for, or of what of it is in the step; until now where it has no end. Null without step and from.',
    }),
    errorCount,
    errorRate,
    durationNs: ref('Quantiles'),
  }),
  ModelUsage: groupSchema(LLM_USAGE, {
    calls: integer(),
    errorCount,
    errorRate,
    inputTokens: integer(),
    outputTokens: integer(),
    cachedTokens: integer(),
    cacheCreationTokens: integer(),
    reasoningTokens: integer(),
    cost: { type: 'number', description: 'US dollars, of the calls whose cost is known.' },
    callsWithoutCost: integer(),
    durationNs: ref('Quantiles'),
    timeToFirstTokenNs: ref('Quantiles'),
  }),
  LogLevelCount: groupSchema(LOG_LEVELS, { count: integer() }),
  MetricStatistics: groupSchema(METRIC_STATISTICS, {
    points: integer(),
    series: integer(),
    newestUnixNano: nullable(ref('UnixNano')),
  }),
  EvaluationStatistics: object(
    {
      name: text(),
      count: integer(),
      scored: integer('Those with a score.'),
      average: nullable(ref('Number')),
      min: nullable(ref('Number')),
      max: nullable(ref('Number')),
      labels: { type: 'object', additionalProperties: integer(), description: 'How often each was given.' },
      errors: integer('Those without a result.'),
    },
    groupMembers(EVALUATION_GROUPS),
  ),
  SeriesPoint: {
    ...object(
      {
        labels: {
          type: 'object',
          additionalProperties: true,
          description: 'Values of the labels that by names; null where there is none.',
        },
      },
      { timeUnixNano: ref('UnixNano', 'Beginning of the step, with step.') },
    ),
    additionalProperties: nullable(ref('Number')),
    description: 'Beside these members one for each word of agg; null where it cannot be known.',
  },
  Service: object({
    service: text(),
    environments: arrayOf(text()),
    signals: arrayOf(oneOf(TELEMETRY_SIGNALS)),
  }),
  Operation: object({
    service: text(),
    name: text(),
    kind: oneOf([...SPAN_KINDS.keys()]),
    spanCount: integer(),
    errorCount,
  }),
  Dependency: object({
    parent: text('The service that calls.'),
    child: text('The service that is called.'),
    callCount: integer(),
    errorCount,
    durationNs: ref('Quantiles'),
  }),
} satisfies Readonly<Record<string, JsonSchema>>
