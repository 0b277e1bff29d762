import type { AttributeValue } from '../../models/attributes.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { readRow } from '../query/table-column.ts'
import { fitLine } from '../query/text-width.ts'
import type { Format, Line, Segment } from './line.ts'
import { logfmtPair } from './logfmt-pair.ts'
import { prettyLog } from './pretty-log.ts'
import { prettyPoint } from './pretty-point.ts'
import { prettySpan } from './pretty-span.ts'
import { type TailedRecord, timeOf } from './tailed-record.ts'
import { timeText } from './time-text.ts'

export interface PrettyOptions {
  readonly utc: boolean
  /** Trace ids whole, not their first 8 digits. */
  readonly fullIds: boolean
  /** Unix milliseconds. */
  readonly now: () => number
}

/** What one signal shows of a record after its time and before its attributes; parts are two blanks apart. */
export type PrettyParts = (record: TailedRecord) => readonly Line[]

const PARTS: { readonly [S in TelemetrySignal]: PrettyParts } = {
  logs: prettyLog,
  traces: prettySpan,
  metrics: prettyPoint,
}

const SHORT_ID = 8
/** Of one attribute. Prompts and stacks are for `--output json`. */
const MAX_ATTRIBUTE = 200
const MAX_ATTRIBUTES = 40

/** A record on one line, for a person: `15:04:05.123 ERROR api  no answer  peer=db  trace=5b8aa5a2`. */
export function prettyLine(signal: TelemetrySignal, options: PrettyOptions): Format {
  return (json) => {
    const record = readRow<TailedRecord>(json)
    const [head = [], ...others] = PARTS[signal](record)
    // The attributes of a span are many, and what they say is mostly in its parts.
    const attributes = signal === 'traces' ? [] : attributesOf(record)
    const ids = record.traceId === undefined ? [] : [faint(`trace=${traceText(record.traceId, options)}`)]
    const start: Line = [...timeSegments(record, options), ...head]
    return [start, ...others, attributes, ids].filter((part) => part.length > 0).flatMap(apart)
  }
}

function timeSegments(record: TailedRecord, { utc, now }: PrettyOptions): Line {
  const time = timeOf(record)
  return time === undefined ? [] : [faint(timeText(time, { utc, nowMs: now() })), { text: ' ' }]
}

function attributesOf({ attributes = {} }: TailedRecord): Line {
  const all = Object.entries(attributes)
  const shown = all.slice(0, MAX_ATTRIBUTES).map(([key, value]) => pair(key, value))
  const rest = all.length - shown.length
  return all.length === 0 ? [] : [faint([...shown, ...(rest > 0 ? [`… ${rest} more`] : [])].join(' '))]
}

function pair(key: string, value: AttributeValue): string {
  return logfmtPair(key.slice(0, MAX_ATTRIBUTE), value, MAX_ATTRIBUTE)
}

function traceText(traceId: string, { fullIds }: PrettyOptions): string {
  return fitLine(fullIds ? traceId : traceId.slice(0, SHORT_ID))
}

function faint(text: string): Segment {
  return { text, style: 'faint' }
}

function apart(part: Line, index: number): Line {
  return index === 0 ? part : [{ text: '  ' }, ...part]
}
