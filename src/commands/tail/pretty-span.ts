import { genAiColumns } from '../../models/gen-ai.ts'
import { formatCost, formatNanos } from '../query/format-value.ts'
import type { Style } from '../query/paint.ts'
import { fitLine } from '../query/text-width.ts'
import { formatCount } from '../text-table.ts'
import type { Line } from './line.ts'
import { serviceSegment } from './service-segment.ts'
import { durationOf, type TailedRecord } from './tailed-record.ts'

const DURATION_WIDTH = 8
const STATUS_WIDTH = 5
/** As `internal` is. */
const KIND_WIDTH = 8
const MAX_WORD = 16
const MAX_NAME = 200

/** A span: `830 ms ok client assistant`, its name and what went wrong, and of a call of a model what it took. */
export function prettySpan(record: TailedRecord): readonly Line[] {
  const { name = '', kind = 'unspecified', status: { code = 'unset', message = '' } = {} } = record
  const duration = durationOf(record)
  const took = duration === undefined ? 'open' : formatNanos(duration)
  const told = message === '' ? name : `${name}: ${message}`
  const call = callText(record)
  return [
    [
      { text: `${took.padStart(DURATION_WIDTH)} ` },
      { text: `${word(code === 'unset' ? '-' : code, STATUS_WIDTH)} `, style: styleOf(code) },
      { text: `${word(kind === 'unspecified' ? '-' : kind, KIND_WIDTH)} `, style: 'faint' },
      serviceSegment(record),
    ],
    [{ text: fitLine(told, MAX_NAME), style: code === 'error' ? 'bad' : undefined }],
    call === '' ? [] : [{ text: fitLine(call, MAX_NAME), style: 'bar' }],
  ]
}

function word(text: string, width: number): string {
  return fitLine(text, MAX_WORD).padEnd(width)
}

function styleOf(code: string): Style {
  if (code === 'error') return 'bad'
  return code === 'ok' ? 'good' : 'faint'
}

/** `gpt-4o, 1,200 in, 85 out, $0.0021`; nothing of spans that are no call of a model. */
function callText({ attributes = {} }: TailedRecord): string {
  const { requestModel, responseModel, inputTokens, outputTokens, cost } = genAiColumns(attributes) ?? {}
  const parts = [
    responseModel ?? requestModel,
    inputTokens !== undefined && `${formatCount(Number(inputTokens))} in`,
    outputTokens !== undefined && `${formatCount(Number(outputTokens))} out`,
    cost !== undefined && formatCost(Number(cost)),
  ]
  return parts.filter(Boolean).join(', ')
}
