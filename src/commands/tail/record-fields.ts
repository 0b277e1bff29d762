import type { AttributeValue } from '../../models/attributes.ts'
import { genAiColumns } from '../../models/gen-ai.ts'
import { formatNanos, formatTime } from '../query/format-value.ts'
import { durationOf, levelOf, type TailedRecord, timeOf } from './tailed-record.ts'

type Field = (record: TailedRecord) => AttributeValue | undefined

const NANOS_PER_MS = 1e6

/** What a record tells beside what it holds, for templates and logfmt. Undefined where it tells no such thing. */
export const RECORD_FIELDS = {
  /** RFC 3339, in UTC. */
  time: (record) => {
    const time = timeOf(record)
    return time === undefined ? undefined : formatTime(time)
  },
  level: (record) => levelOf(record).toLowerCase() || undefined,
  /** For a person: `830 ms`. */
  duration: (record) => {
    const duration = durationOf(record)
    return duration === undefined ? undefined : formatNanos(duration)
  },
  durationMs: (record) => {
    const duration = durationOf(record)
    return duration === undefined ? undefined : Number(duration) / NANOS_PER_MS
  },
  model: (record) => {
    const call = callOf(record)
    return call?.responseModel ?? call?.requestModel
  },
  inputTokens: (record) => callOf(record)?.inputTokens,
  outputTokens: (record) => callOf(record)?.outputTokens,
} as const satisfies Readonly<Record<string, Field>>

function callOf({ attributes = {} }: TailedRecord): ReturnType<typeof genAiColumns> {
  return genAiColumns(attributes)
}
