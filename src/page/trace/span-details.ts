import { formatCost, formatNanos } from '../../models/shown/format-value.ts'
import { element } from '../dom/element.ts'
import { formatClock, formatCount } from '../format.ts'
import { valueText } from '../parse-json.ts'
import type { Evaluation, GenAi, LogRecord, SpanEvent } from '../records.ts'
import { levelOf } from '../tail/level.ts'
import { conversation } from './conversation.ts'
import { figures } from './figures.ts'
import type { TimedTraceSpan } from './timed-trace.ts'
import { longText, originSection, section, valueList } from './value-list.ts'

/** All that is known of a span. @param logs of its trace. */
export function spanDetails(timed: TimedTraceSpan, logs: readonly LogRecord[]): readonly HTMLElement[] {
  const { span, service, hue, startNs, durationNs, selfNs, isError } = timed
  const own = logs.filter(({ spanId }) => spanId === span.spanId)
  const message = span.status?.message
  const parts = [
    element('h2', {}, element('span', { class: `dot ${hue}` }), span.name),
    isError ? element('p', { class: 'failure' }, message ? `Error: ${message}` : 'Error') : undefined,
    figures([
      ['Service', service],
      ['Kind', span.kind === 'unspecified' ? undefined : span.kind],
      ['Start', `+${formatNanos(startNs)}`],
      ['Duration', span.endTimeUnixNano === undefined ? 'no end' : formatNanos(durationNs)],
      ['By itself', formatNanos(selfNs)],
      ['Span id', span.spanId],
    ]),
    section(span.genAi?.model ? 'Model' : 'User', span.genAi && figures(modelFigures(span.genAi))),
    section('Conversation', span.conversation && conversation(span.conversation)),
    section('Evaluations', ...(span.evaluations ?? []).map(evaluationLine)),
    section('Log records', ...own.map(logLine)),
    section('Events', ...(span.events ?? []).map(eventBlock)),
    section('Attributes', valueList(span.attributes)),
    section('Links', ...(span.links ?? []).map(({ traceId, spanId }) => valueList({ traceId, spanId }))),
    originSection(span),
  ]
  return parts.filter((part) => part !== undefined)
}

function modelFigures(call: GenAi): readonly (readonly [string, string | undefined])[] {
  const count = (value: number | undefined) => (value === undefined ? undefined : formatCount(value))
  const { cost, costIsComputed, timeToFirstTokenNs: first, promptName, promptVersion } = call
  return [
    ['Model', call.model],
    ['Provider', call.provider],
    ['Operation', call.operation],
    ['Tokens in', count(call.inputTokens)],
    ['from cache', count(call.cachedTokens)],
    ['into cache', count(call.cacheCreationTokens)],
    ['Tokens out', count(call.outputTokens)],
    ['for reasoning', count(call.reasoningTokens)],
    ['Cost', cost === undefined ? undefined : `${formatCost(cost)}${costIsComputed ? ' by price list' : ''}`],
    ['First token', first === undefined ? undefined : formatNanos(first)],
    ['Finished', call.finishReason],
    ['Prompt', promptName === undefined ? undefined : [promptName, promptVersion].filter(Boolean).join(' ')],
    ['User', call.userId],
    ['Session', call.sessionId],
  ]
}

function evaluationLine({ name, score, label, explanation }: Evaluation): HTMLElement {
  const verdict = [score, label].filter((each) => each !== undefined).join(' ')
  return element(
    'p',
    {},
    element('strong', {}, name ?? ''),
    ` ${verdict} `,
    element('span', { class: 'aside' }, explanation ?? ''),
  )
}

function logLine(log: LogRecord): HTMLElement {
  const level = levelOf(log)
  return element(
    'div',
    { class: `log-line ${level}` },
    element('span', { class: 'aside' }, formatClock(log.timeUnixNano)),
    element('span', { class: 'level' }, level),
    longText([log.eventName, valueText(log.body)].filter((each) => each).join(' ')),
  )
}

function eventBlock({ name, timeUnixNano, attributes }: SpanEvent): HTMLElement {
  const time = timeUnixNano === undefined ? '' : formatClock(timeUnixNano)
  return element(
    'div',
    { class: 'event' },
    element('p', {}, element('strong', {}, name), ' ', element('span', { class: 'aside' }, time)),
    valueList(attributes),
  )
}
