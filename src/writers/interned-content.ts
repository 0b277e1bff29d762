import type { Attributes } from '../models/attributes.ts'
import type { MetricDefinition } from '../models/data-point.ts'
import { environmentOf } from '../models/environment.ts'
import {
  canonicalMetric,
  canonicalResource,
  canonicalScope,
  canonicalSeries,
  identityOf,
} from '../models/identity.ts'
import { stringifyJson } from '../models/json.ts'
import { EMPTY_ATTRIBUTES } from '../models/normalize-value.ts'
import type { InstrumentationScope, Resource } from '../models/resource.ts'
import type { Source } from '../models/scan/source-cache.ts'
import { UnparsedObject } from '../models/scan/unparsed-object.ts'

/** The tables of interned content, in the order in which their rows are committed. */
export const CONTENT_TABLES = ['resources', 'scopes', 'metrics', 'metric_series'] as const

export type ContentTable = (typeof CONTENT_TABLES)[number]

/** One row of interned content: its id is a hash of what it says. */
export interface ContentRow {
  readonly table: ContentTable
  readonly id: bigint
  /** `id` in decimal digits. */
  readonly idText: string
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

export interface SourceRows {
  readonly resource: ContentRow
  readonly scope: ContentRow
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

/**
 * Finds the row of a resource, scope, metric or series by content. Pure and local: whether PostgreSQL has the row is
 * the interner's business.
 */
export class InternedContent {
  /** By text that says what the content is. */
  readonly #rows: Record<ContentTable, Map<string, ContentRow>> = {
    resources: new Map(),
    scopes: new Map(),
    metrics: new Map(),
    metric_series: new Map(),
  }

  readonly #metrics = new WeakMap<MetricDefinition, ContentRow>()
  readonly #sources = new WeakMap<Source, SourceRows>()

  readonly #remembered: Record<ContentTable, number> = {
    resources: 0,
    scopes: 0,
    metrics: 0,
    metric_series: 0,
  }

  /** The rows of what many records share: found without looking at what it says. */
  source(source: Source): SourceRows {
    let rows = this.#sources.get(source)
    if (rows === undefined) {
      rows = { resource: this.resource(source.resource, source.service), scope: this.scope(source.scope) }
      this.#sources.set(source, rows)
    }
    return rows
  }

  resource(resource: Resource, service: string): ContentRow {
    const json = stringifyJson(resource.attributes)
    const text = resource.schemaUrl === undefined ? json : `${json}${resource.schemaUrl}`
    return (
      this.#rows.resources.get(text) ??
      this.#remember(text, 'resources', canonicalResource(resource), [
        service,
        environmentOf(resource.attributes),
        resource.schemaUrl,
        json,
      ])
    )
  }

  scope(scope: InstrumentationScope): ContentRow {
    const text =
      JSON.stringify([scope.name, scope.version, scope.schemaUrl]) + stringifyJson(scope.attributes)
    return (
      this.#rows.scopes.get(text) ??
      this.#remember(text, 'scopes', canonicalScope(scope), [
        scope.name,
        scope.version,
        scope.schemaUrl,
        stringifyJson(scope.attributes),
      ])
    )
  }

  /** {@link metric} of one that many points share. */
  sharedMetric(metric: MetricDefinition): ContentRow {
    let row = this.#metrics.get(metric)
    if (row === undefined) {
      row = this.metric(metric)
      this.#metrics.set(metric, row)
    }
    return row
  }

  metric(metric: MetricDefinition): ContentRow {
    const { name, type, unit, description, temporality, isMonotonic } = metric
    const values = [name, type, unit, description, temporality, isMonotonic]
    const text = JSON.stringify(values)
    return this.#rows.metrics.get(text) ?? this.#remember(text, 'metrics', canonicalMetric(metric), values)
  }

  series(
    of: { metric: ContentRow; metricName: string; resource: ContentRow; scope: ContentRow; service: string },
    attributes: Attributes | UnparsedObject | undefined,
  ): ContentRow {
    const { metric, resource, scope, metricName, service } = of
    const isUnparsed = attributes instanceof UnparsedObject
    const json = isUnparsed ? attributes.text : stringifyJson(attributes ?? EMPTY_ATTRIBUTES)
    const text = `${metric.idText} ${resource.idText} ${scope.idText} ${json}`
    const row = this.#rows.metric_series.get(text)
    if (row !== undefined) return row
    const ids = { metricId: metric.id, resourceId: resource.id, scopeId: scope.id }
    const refs = [ids.metricId, ids.resourceId, ids.scopeId]
    const values = [...refs, service, json]
    const parsed = isUnparsed ? (attributes.parse() as Attributes) : (attributes ?? EMPTY_ATTRIBUTES)
    const seriesOf = { metricId: ids.metricId, metricName, service, refs }
    return this.#remember(
      text,
      'metric_series',
      canonicalSeries({ ...ids, attributes: parsed }),
      values,
      seriesOf,
    )
  }

  /** `text` says the same as `canonical`, though the order of keys may differ: it costs less to make, for every record. */
  #remember(
    text: string,
    table: ContentTable,
    canonical: string,
    values: ContentRow['values'],
    seriesOf?: ContentRow['seriesOf'],
  ): ContentRow {
    const { id } = identityOf(canonical)
    const row = { table, id, idText: String(id), values, ...(seriesOf && { seriesOf }) }
    if (text.length > MAX_CONTENT) return row
    const rows = this.#rows[table]
    rows.set(text, row)
    this.#remembered[table] += text.length + ROW_COST
    for (const oldest of rows.keys()) {
      if (this.#remembered[table] <= MAX_REMEMBERED[table]) break
      rows.delete(oldest)
      this.#remembered[table] -= oldest.length + ROW_COST
    }
    return row
  }
}
