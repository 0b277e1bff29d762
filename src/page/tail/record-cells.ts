import { formatNanos } from '../../models/shown/format-value.ts'
import { element } from '../dom/element.ts'
import { formatClock, formatCount, formatDateTime } from '../format.ts'
import { valueText } from '../parse-json.ts'
import type { Attributes, DataPoint, LogRecord, Span, TailRecord } from '../records.ts'
import type { TailSignal } from '../view.ts'
import { levelOf } from './level.ts'

/** Characters of a cell: more than any screen is wide. */
const MOST = 600

/** The headings of a list, in the order of its cells. */
export const HEADINGS: Readonly<Record<TailSignal, readonly string[]>> = {
  logs: ['Time', 'Level', 'Service', 'Message', 'Trace'],
  spans: ['Time', 'Duration', 'Service', 'Span', 'Trace'],
  metrics: ['Time', 'Type', 'Service', 'Metric', 'Value'],
}

/** What a row of a list has: its cells, and how it looks. */
export interface RecordCells {
  readonly cells: readonly HTMLElement[]
  /** Of logs the level; `error` also of spans that failed. */
  readonly tone: string
}

/** A record as a row. */
export function recordCells(signal: TailSignal, record: TailRecord): RecordCells {
  if (signal === 'logs') return logCells(record as LogRecord)
  return signal === 'spans' ? spanCells(record as Span) : pointCells(record as DataPoint)
}

function logCells(record: LogRecord): RecordCells {
  const level = levelOf(record)
  const text = [record.eventName, valueText(record.body)].filter((each) => each).join(' ')
  const tone = level === 'fatal' ? 'error' : level
  return {
    tone,
    cells: [
      timeCell(record.timeUnixNano),
      cell(level, 'level'),
      cell(record.service ?? '', 'service'),
      text === '' ? attributesCell(record.attributes) : cell(text, 'text'),
      traceCell(record.traceId),
    ],
  }
}

function spanCells(span: Span): RecordCells {
  const { name, status, startTimeUnixNano: start, endTimeUnixNano: end, attributes = {} } = span
  const isError = status?.code === 'error'
  const model = valueText(attributes['gen_ai.response.model'] ?? attributes['gen_ai.request.model'])
  const about = [isError ? status.message || 'error' : '', name.includes(model) ? '' : model].filter(
    (each) => each,
  )
  const text = cell(name, 'text')
  if (about.length > 0) text.append(' ', element('span', { class: 'aside' }, short(about.join(' · '))))
  return {
    tone: isError ? 'error' : 'plain',
    cells: [
      timeCell(start),
      cell(end === undefined ? '' : formatNanos(BigInt(end) - BigInt(start)), 'level number'),
      cell(span.service ?? '', 'service'),
      text,
      traceCell(span.traceId),
    ],
  }
}

function pointCells(point: DataPoint): RecordCells {
  const text = cell(point.name, 'text')
  const attributes = attributesText(point.attributes)
  if (attributes !== '') text.append(' ', element('span', { class: 'aside' }, attributes))
  return {
    tone: 'plain',
    cells: [
      timeCell(point.timeUnixNano),
      cell(point.type ?? '', 'level'),
      cell(point.service ?? '', 'service'),
      text,
      cell(measured(point), 'trace number'),
    ],
  }
}

function measured({ value, count, sum, unit = '1' }: DataPoint): string {
  // UCUM has what is counted in braces: {token}.
  const of = unit === '1' ? '' : ` ${unit.replaceAll(/[{}]/g, '')}`
  if (value !== undefined) return `${typeof value === 'number' ? digits(value, 6) : valueText(value)}${of}`
  if (count === undefined) return ''
  return `${formatCount(count)} ×${sum === undefined || count === 0 ? '' : ` ø ${digits(sum / count, 3)}${of}`}`
}

function digits(value: number, most: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: most })
}

function timeCell(unixNano: string): HTMLElement {
  return element(
    'span',
    { role: 'gridcell', class: 'time', title: formatDateTime(unixNano) },
    formatClock(unixNano),
  )
}

function traceCell(traceId: string | undefined): HTMLElement {
  return cell(traceId?.slice(0, 8) ?? '', 'trace')
}

function attributesCell(attributes: Attributes | undefined): HTMLElement {
  return element(
    'span',
    { role: 'gridcell', class: 'text' },
    element('span', { class: 'aside' }, attributesText(attributes)),
  )
}

/** `http.route=/chat http.status=200` */
function attributesText(attributes: Attributes = {}): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(' ')
    .slice(0, MOST)
}

function cell(text: string, name: string): HTMLElement {
  return element('span', { role: 'gridcell', class: name }, short(text))
}

function short(text: string): string {
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text
}
