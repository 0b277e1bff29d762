import type { Attributes } from '../attributes.ts'
import { isPlainObject } from '../decode-fields.ts'
import { eventNameOf } from '../event-name.ts'
import { parseJson } from '../json.ts'
import type { LogRecord } from '../log-record.ts'
import type { Evaluation } from './evaluation.ts'
import { EVALUATION_EVENT, readEvaluation } from './read-evaluation.ts'

/** Of the utilities of Splunk's distribution: a list of results in the body. */
const EVALUATIONS_EVENT = 'gen_ai.evaluation.results'
/** Results of one record. */
const MAX_EVALUATIONS = 100
/** Of OpenLIT, which writes the attributes of the event as JSON into the body of a record without a name. */
export const NAME_IN_BODY = 'gen_ai.evaluation.name'

const NONE: readonly Evaluation[] = []

/** The evaluations that a log record tells, each of the span that the record belongs to. */
export function evaluationsOfLog(record: LogRecord): readonly Evaluation[] {
  const { traceId, spanId } = record
  const target = { traceId, spanId, responseId: undefined, sessionId: undefined }
  const found = resultsIn(record, eventNameOf(record))
  if (found.length === 0) return NONE
  return found.slice(0, MAX_EVALUATIONS).flatMap((result) => readEvaluation(result, target) ?? [])
}

function resultsIn({ attributes, body }: LogRecord, eventName: string | undefined): readonly Attributes[] {
  if (eventName === EVALUATION_EVENT) {
    if (attributes[NAME_IN_BODY] !== undefined || !isPlainObject(body)) return [attributes]
    return [body as Attributes]
  }
  if (eventName === EVALUATIONS_EVENT) {
    const list = isPlainObject(body) ? body['gen_ai.evaluations'] : undefined
    return Array.isArray(list) ? list.filter((item): item is Attributes => isPlainObject(item)) : []
  }
  if (typeof body !== 'string' || !body.startsWith('{') || !body.includes(NAME_IN_BODY)) return []
  const { value } = parseJson(body)
  return isPlainObject(value) ? [value as Attributes] : []
}
