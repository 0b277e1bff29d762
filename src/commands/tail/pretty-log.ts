import type { AttributeValue } from '../../models/attributes.ts'
import { stringifyJson } from '../../models/json.ts'
import type { Style } from '../query/paint.ts'
import { fitLine } from '../query/text-width.ts'
import type { Line } from './line.ts'
import { serviceSegment } from './service-segment.ts'
import { levelOf, type TailedRecord } from './tailed-record.ts'

const LEVEL_WIDTH = 5
const MAX_LEVEL = 12
/** Columns of a body: some screens. All of it is in `--output json`. */
const MAX_BODY = 4000

/** A log record: `ERROR service`, what is said. */
export function prettyLog(record: TailedRecord): readonly Line[] {
  const level = fitLine(levelOf(record), MAX_LEVEL) || '-'
  const said = textOf(record)
  return [
    [{ text: level.padEnd(LEVEL_WIDTH), style: styleOf(record) }, { text: ' ' }, serviceSegment(record)],
    said === '' ? [] : [{ text: fitLine(said, MAX_BODY) }],
  ]
}

function styleOf({ severityNumber = 0 }: TailedRecord): Style {
  if (severityNumber >= 17) return 'bad'
  if (severityNumber >= 13) return 'warn'
  return severityNumber >= 9 ? 'good' : 'faint'
}

/** Of an event its name, too. */
function textOf({ eventName = '', body = '' }: TailedRecord): string {
  return [eventName, valueText(body)].filter(Boolean).join(' ')
}

function valueText(value: AttributeValue): string {
  return typeof value === 'string' ? value : stringifyJson(value)
}
