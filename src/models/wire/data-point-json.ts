import type { DataPoint, ExponentialBuckets, Measurement, MetricValue, QuantileValue } from '../data-point.ts'
import { stringifyJson } from '../json.ts'
import { exemplarsJson } from './exemplars-json.ts'
import { plainMember, textMember, wordMember } from './json-members.ts'
import { originMembers } from './origin-json.ts'

/** A data point as the API gives it. */
export function dataPointJson(point: DataPoint): string {
  const { metric } = point
  return (
    `{"name":${JSON.stringify(metric.name)},"type":"${metric.type}"` +
    textMember('unit', metric.unit) +
    textMember('description', metric.description) +
    wordMember('temporality', metric.temporality) +
    plainMember('isMonotonic', metric.isMonotonic) +
    wordMember('timeUnixNano', point.timeUnixNano) +
    wordMember('startTimeUnixNano', point.startTimeUnixNano) +
    plainMember('flags', point.flags) +
    measurementMembers(point.measurement) +
    textMember('service', point.service) +
    plainMember('attributes', stringifyJson(point.attributes)) +
    plainMember('exemplars', exemplarsJson(point.exemplars)) +
    `${originMembers(point)}}`
  )
}

function measurementMembers(measurement: Measurement): string {
  switch (measurement.kind) {
    case 'number':
      return valueMember('value', measurement.value)
    case 'summary':
      return (
        plainMember('count', measurement.count) +
        valueMember('sum', measurement.sum) +
        plainMember('quantiles', listJson(measurement.quantiles.map(quantileJson)))
      )
    case 'histogram':
      return (
        statisticsMembers(measurement) +
        plainMember('explicitBounds', listJson(measurement.explicitBounds)) +
        plainMember('bucketCounts', listJson(measurement.bucketCounts))
      )
    case 'exponentialHistogram':
      return (
        statisticsMembers(measurement) +
        plainMember('scale', measurement.scale) +
        plainMember('zeroCount', measurement.zeroCount) +
        plainMember('zeroThreshold', measurement.zeroThreshold) +
        bucketsMember('positive', measurement.positive) +
        bucketsMember('negative', measurement.negative)
      )
  }
}

function statisticsMembers({
  count,
  sum,
  min,
  max,
}: Extract<Measurement, { kind: 'histogram' | 'exponentialHistogram' }>): string {
  return (
    plainMember('count', count) + valueMember('sum', sum) + valueMember('min', min) + valueMember('max', max)
  )
}

function bucketsMember(name: string, buckets: ExponentialBuckets | undefined): string {
  if (buckets === undefined) return ''
  return `,"${name}":{"offset":${buckets.offset},"bucketCounts":${listJson(buckets.bucketCounts)}}`
}

function quantileJson({ quantile, value }: QuantileValue): string {
  return `{"quantile":${quantile}${valueMember('value', value)}}`
}

/** What is not finite is a text, as in OTLP's JSON. */
function valueMember(name: string, value: MetricValue | undefined): string {
  return typeof value === 'string' ? wordMember(name, value) : plainMember(name, value)
}

function listJson(members: readonly (string | number | bigint)[]): string {
  return `[${members.join()}]`
}
