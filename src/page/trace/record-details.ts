import { element } from '../dom/element.ts'
import { formatDateTime } from '../format.ts'
import type { JsonValue } from '../parse-json.ts'
import type { DataPoint, LogRecord, Span, TailRecord } from '../records.ts'
import { levelOf } from '../tail/level.ts'
import type { TailSignal } from '../view.ts'
import { figures } from './figures.ts'
import { longText, originSection, section, valueList } from './value-list.ts'

/** All that one record says, as it came: of a log record, its text; of a data point, its values. */
export function recordDetails(signal: TailSignal, record: TailRecord): readonly HTMLElement[] {
  const { service, attributes, resource: _, scope: __, ...others } = record
  const title = signal === 'logs' ? 'Log record' : signal === 'spans' ? 'Span' : 'Data point'
  const time = 'timeUnixNano' in record ? record.timeUnixNano : (record as Span).startTimeUnixNano
  const level = signal === 'logs' ? levelOf(record as LogRecord) : ''
  const parts = [
    element('h2', {}, title),
    figures([
      ['Time', formatDateTime(time)],
      ['Level', level],
      ['Service', service],
      ['Event', (record as LogRecord).eventName],
    ]),
    ...(signal === 'logs'
      ? [element('div', { class: `body ${level}` }, longText((record as LogRecord).body))]
      : [section('Values', valueList(others as unknown as Readonly<Record<string, JsonValue>>))]),
    section('Attributes', valueList(attributes)),
    originSection(record),
  ]
  return parts.filter((part) => part !== undefined)
}

/** The trace that a record belongs to, and the span. */
export function traceOf(record: TailRecord): { readonly traceId?: string; readonly spanId?: string } {
  const { traceId, spanId } = record as Exclude<TailRecord, DataPoint>
  return { ...(traceId !== undefined && { traceId }), ...(spanId !== undefined && { spanId }) }
}
