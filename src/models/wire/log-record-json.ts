import { stringifyJson } from '../json.ts'
import type { LogRecord } from '../log-record.ts'
import { plainMember, textMember, wordMember } from './json-members.ts'
import { originMembers } from './origin-json.ts'

/** A log record as the API gives it. */
export function logRecordJson(record: LogRecord): string {
  const { severityNumber, body } = record
  return (
    `{"timeUnixNano":"${record.timeUnixNano}"` +
    wordMember('observedTimeUnixNano', record.observedTimeUnixNano) +
    plainMember('severityNumber', severityNumber === 0 ? undefined : severityNumber) +
    textMember('severityText', record.severityText) +
    textMember('eventName', record.eventName) +
    wordMember('traceId', record.traceId) +
    wordMember('spanId', record.spanId) +
    plainMember('flags', record.flags) +
    plainMember('droppedAttributesCount', record.droppedAttributesCount) +
    textMember('service', record.service) +
    plainMember('body', body === undefined ? undefined : stringifyJson(body)) +
    plainMember('attributes', stringifyJson(record.attributes)) +
    `${originMembers(record)}}`
  )
}
