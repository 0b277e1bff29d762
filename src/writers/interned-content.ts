import type { Attributes } from '../models/attributes.ts'
import type { MetricDefinition } from '../models/data-point.ts'
import {
  canonicalMetric,
  canonicalResource,
  canonicalScope,
  canonicalSeries,
  identityOf,
} from '../models/identity.ts'
import { stringifyJson } from '../models/json.ts'
import type { InstrumentationScope, Resource } from '../models/resource.ts'

/** The tables of interned content, in the order in which their rows are committed. */
export const CONTENT_TABLES = ['resources', 'scopes', 'metrics', 'metric_series'] as const

export type ContentTable = (typeof CONTENT_TABLES)[number]

/** One row of interned content: its id is a hash of what it says. */
export interface ContentRow {
  readonly table: ContentTable
  readonly id: bigint
  /** The columns after the id, in the order of the table's {@link ContentTable} definition in the interner. */
  readonly values: readonly (string | boolean | bigint | undefined)[]
  /** Of a series: what its limits count, and the rows it refers to. */
  readonly seriesOf?: {
    readonly metricId: bigint
    readonly metricName: string
    readonly service: string
    readonly refs: readonly bigint[]
  }
}

/**
 * Characters of remembered content a table, past which the oldest are forgotten: a row costs a hash when it is met again, nothing
 * else. Metrics and scopes are of the program, resources of its processes; series are what there is much of.
 */
const MAX_REMEMBERED: Readonly<Record<ContentTable, number>> = {
  resources: 4_000_000,
  scopes: 2_000_000,
  metrics: 2_000_000,
  metric_series: 16_000_000,
}
/** What a row holds beside its content, in characters. */
const ROW_COST = 256
/** Longer content is not remembered: a few would push everything else out. */
const MAX_CONTENT = 65_536

/** OpenTelemetry's `deployment.environment.name`, and its name before semantic conventions 1.27. */
const ENVIRONMENT_KEYS = ['deployment.environment.name', 'deployment.environment'] as const

/**
 * Finds the row of a resource, scope, metric or series by content. Pure and local: whether PostgreSQL has the row is
 * the interner's business.
 */
export class InternedContent {
  readonly #rows: Record<ContentTable, Map<string, ContentRow>> = {
    resources: new Map(),
    scopes: new Map(),
    metrics: new Map(),
    metric_series: new Map(),
  }

  readonly #remembered: Record<ContentTable, number> = {
    resources: 0,
    scopes: 0,
    metrics: 0,
    metric_series: 0,
  }

  resource(resource: Resource, service: string): ContentRow {
    return this.#row('resources', canonicalResource(resource), () => [
      service,
      environmentOf(resource.attributes),
      resource.schemaUrl,
      stringifyJson(resource.attributes),
    ])
  }

  scope(scope: InstrumentationScope): ContentRow {
    return this.#row('scopes', canonicalScope(scope), () => [
      scope.name,
      scope.version,
      scope.schemaUrl,
      stringifyJson(scope.attributes),
    ])
  }

  metric(metric: MetricDefinition): ContentRow {
    return this.#row('metrics', canonicalMetric(metric), () => [
      metric.name,
      metric.type,
      metric.unit,
      metric.description,
      metric.temporality,
      metric.isMonotonic,
    ])
  }

  series(
    of: { metric: ContentRow; metricName: string; resource: ContentRow; scope: ContentRow; service: string },
    attributes: Attributes,
  ): ContentRow {
    const ids = { metricId: of.metric.id, resourceId: of.resource.id, scopeId: of.scope.id }
    const refs = [ids.metricId, ids.resourceId, ids.scopeId]
    const seriesOf = { metricId: ids.metricId, metricName: of.metricName, service: of.service, refs }
    return this.#row(
      'metric_series',
      canonicalSeries({ ...ids, attributes }),
      () => [ids.metricId, ids.resourceId, ids.scopeId, of.service, stringifyJson(attributes)],
      seriesOf,
    )
  }

  #row(
    table: ContentTable,
    canonical: string,
    values: () => ContentRow['values'],
    seriesOf?: ContentRow['seriesOf'],
  ): ContentRow {
    let row = this.#rows[table].get(canonical)
    if (row === undefined) {
      row = { table, id: identityOf(canonical).id, values: values(), ...(seriesOf && { seriesOf }) }
      if (canonical.length <= MAX_CONTENT) this.#remember(canonical, row)
    }
    return row
  }

  #remember(canonical: string, row: ContentRow): void {
    const { table } = row
    const rows = this.#rows[table]
    rows.set(canonical, row)
    this.#remembered[table] += canonical.length + ROW_COST
    for (const oldest of rows.keys()) {
      if (this.#remembered[table] <= MAX_REMEMBERED[table]) return
      rows.delete(oldest)
      this.#remembered[table] -= oldest.length + ROW_COST
    }
  }
}

function environmentOf(attributes: Attributes): string | undefined {
  const key = ENVIRONMENT_KEYS.find((name) => typeof attributes[name] === 'string')
  return key === undefined ? undefined : String(attributes[key])
}
