import { stringify as stringifyLossless } from 'lossless-json'
import type { DataPoint } from './data-point.ts'

/**
 * Any input as JSON text, for a dead letter or to measure it: integers exact, what JSON has no word for left out. An
 * input that is no tree (an application's cyclic object) is described instead.
 */
export function looseRecordJson(input: unknown): string {
  try {
    return JSON.stringify(input) ?? 'null'
  } catch {
    try {
      return stringifyLossless(input) ?? 'null'
    } catch (error) {
      return JSON.stringify(`not representable as JSON: ${String(error)}`)
    }
  }
}

/** A record in normal form as the JSON it could be sent as again. */
export function recordJson(record: object): string {
  if (!isDataPoint(record)) return looseRecordJson(record)
  const { metric, measurement, ...point } = record
  const { kind, ...measured } = measurement
  return looseRecordJson({ ...metric, ...point, ...measured })
}

function isDataPoint(record: object): record is DataPoint {
  return 'measurement' in record
}
