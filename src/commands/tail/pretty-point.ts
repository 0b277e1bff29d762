import type { AttributeValue } from '../../models/attributes.ts'
import { fitLine } from '../query/text-width.ts'
import { distributionText } from './distribution-text.ts'
import type { Line } from './line.ts'
import { serviceSegment } from './service-segment.ts'
import type { TailedRecord } from './tailed-record.ts'

const MAX_NAME = 200

/** A point of a metric: its service, its name and what was measured. */
export function prettyPoint(record: TailedRecord): readonly Line[] {
  return [
    [serviceSegment(record)],
    [
      { text: `${fitLine(record.name ?? '', MAX_NAME)} ` },
      { text: fitLine(measuredText(record), MAX_NAME), style: 'strong' },
    ],
  ]
}

/** `12.5 ms`; of a histogram or a summary `count 3, sum 12.5 ms, …`. */
function measuredText(record: TailedRecord): string {
  const { value, unit } = record
  // The unit 1 is that of what has none.
  const withUnit = (number: AttributeValue) =>
    unit === undefined || unit === '1' || unit === '' ? String(number) : `${String(number)} ${unit}`
  return value === undefined ? distributionText(record, withUnit) : withUnit(value)
}
