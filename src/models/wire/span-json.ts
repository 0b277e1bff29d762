import { SPAN_KINDS, STATUS_CODES } from '../decode-span-status.ts'
import { stringifyJson } from '../json.ts'
import type { Span } from '../span.ts'
import { plainMember, textMember, wordMember } from './json-members.ts'
import { originMembers } from './origin-json.ts'
import { eventsJson, linksJson } from './span-parts-json.ts'

/** By number: both are numbered from 0, in this order. */
const KIND_WORDS = [...SPAN_KINDS.keys()]
const STATUS_WORDS = [...STATUS_CODES.keys()]

/** A span as the API gives it. */
export function spanJson(span: Span): string {
  const { status } = span
  return (
    `{"traceId":"${span.traceId}","spanId":"${span.spanId}"` +
    wordMember('parentSpanId', span.parentSpanId) +
    textMember('traceState', span.traceState) +
    plainMember('flags', span.flags) +
    textMember('name', span.name) +
    wordMember('kind', KIND_WORDS[span.kind]) +
    wordMember('startTimeUnixNano', span.startTimeUnixNano) +
    wordMember('endTimeUnixNano', span.endTimeUnixNano) +
    `,"status":{"code":"${STATUS_WORDS[status.code]}"${textMember('message', status.message)}}` +
    plainMember('droppedAttributesCount', span.droppedAttributesCount) +
    plainMember('droppedEventsCount', span.droppedEventsCount) +
    plainMember('droppedLinksCount', span.droppedLinksCount) +
    textMember('service', span.service) +
    plainMember('attributes', stringifyJson(span.attributes)) +
    plainMember('events', eventsJson(span.events)) +
    plainMember('links', linksJson(span.links)) +
    `${originMembers(span)}}`
  )
}
