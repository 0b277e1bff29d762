import { fitLine } from '../query/text-width.ts'
import type { Segment } from './line.ts'
import { serviceStyle } from './service-style.ts'
import type { TailedRecord } from './tailed-record.ts'

const MAX_SERVICE = 32

/** The name of the service of a record, in its color. */
export function serviceSegment({ service = '' }: TailedRecord): Segment {
  return { text: fitLine(service, MAX_SERVICE), style: serviceStyle(service) }
}
