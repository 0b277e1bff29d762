import type { Attributes, AttributeValue } from '../attributes.ts'
import { isPlainObject } from '../decode-fields.ts'
import { parseJson } from '../json.ts'
import type { Span } from '../span.ts'
import type { Evaluation, EvaluationTarget } from './evaluation.ts'
import { EVALUATION_EVENT, evaluationOf, type LooseEvaluation, readEvaluation } from './read-evaluation.ts'

/** Arize-ai/openinference, spec/annotations.md: `evaluations.0.evaluation.score`, `trace.annotations.1.annotation.label`. */
const ANNOTATION = /^(?:(trace|session)\.)?(annotation|evaluation)s\.(\d{1,3})\.\2\.(\w{1,40})$/
/** braintrustdata/braintrust-spec, features/eval-spans.md: `{"accuracy": 0.9}`, also one attribute for each. */
const SCORES = 'braintrust.scores'
const SCORE = `${SCORES}.`
const SPAN_TYPE = 'braintrust.span_attributes'

/** Whether an attribute of this name may tell an evaluation. */
export function isEvaluationKey(key: string): boolean {
  return key.startsWith(SCORES) || ANNOTATION.test(key)
}

/** Of one span. A row takes some twenty times what an evaluation takes at least in what was sent. */
const MAX_EVALUATIONS = 100

/** The evaluations that a span tells: its events, its attributes, or the span as a whole. */
export function evaluationsOfSpan(span: Span): readonly Evaluation[] {
  const { attributes, events, traceId, spanId, parentSpanId, name } = span
  const here = { traceId, spanId, responseId: undefined, sessionId: undefined }
  const judged = judgedBy(span, here)
  const found = events.flatMap((event) =>
    event.name === EVALUATION_EVENT ? (readEvaluation(event.attributes, judged) ?? []) : [],
  )
  // The span is the event: what it judges is around it, if the answer's id does not say.
  if (name === EVALUATION_EVENT) {
    const isNamed = typeof attributes['gen_ai.response.id'] === 'string'
    const around = { ...here, spanId: isNamed ? undefined : parentSpanId }
    found.push(...[readEvaluation(attributes, around) ?? []].flat())
  }
  if (Object.keys(attributes).some(isEvaluationKey))
    found.push(
      ...annotations(attributes, judged),
      ...scores(attributes, { ...here, spanId: scoredSpan(span) }),
    )
  return withoutRepeats(found).slice(0, MAX_EVALUATIONS)
}

/** A carrier of annotations is linked to the span that it judges; its parent says nothing (spec/annotations.md). A call may have a link for any reason. */
function judgedBy({ attributes, links }: Span, here: EvaluationTarget): EvaluationTarget {
  const [link, ...others] = links
  const kind = attributes['openinference.span.kind']
  const isCarrier =
    kind === undefined ? attributes['gen_ai.operation.name'] === undefined : kind === 'EVALUATOR'
  if (link === undefined || others.length > 0 || !isCarrier) return here
  return { ...here, traceId: link.traceId, spanId: link.spanId }
}

/** Some write a result as an event and as attributes. */
function withoutRepeats(found: readonly Evaluation[]): Evaluation[] {
  const known = new Map(
    found.map((each) => [
      JSON.stringify([each.name, each.score, each.label, each.spanId, each.sessionId]),
      each,
    ]),
  )
  return [...known.values()]
}

function annotations(attributes: Attributes, judged: EvaluationTarget): Evaluation[] {
  const groups = new Map<string, { scope: string | undefined; fields: Record<string, AttributeValue> }>()
  for (const [key, value] of Object.entries(attributes)) {
    const [, scope, kind = '', index = '', field = ''] = ANNOTATION.exec(key) ?? []
    if (field === '') continue
    const group = groups.get(`${scope}.${kind}.${index}`) ?? { scope, fields: {} }
    groups.set(`${scope}.${kind}.${index}`, group)
    group.fields[field] = value
  }
  return [...groups.values()].flatMap(({ scope, fields }) => {
    const { name, score, label, explanation, annotator_kind: kind } = fields
    const evaluator = typeof kind === 'string' ? kind.toLowerCase() : undefined
    const loose: LooseEvaluation = { name, score, label, explanation, evaluator }
    return evaluationOf(loose, withinScope(scope, judged, attributes)) ?? []
  })
}

function withinScope(
  scope: string | undefined,
  target: EvaluationTarget,
  attributes: Attributes,
): EvaluationTarget {
  if (scope === 'trace') return { ...target, spanId: undefined }
  const session = attributes['session.id']
  if (scope !== 'session' || typeof session !== 'string') return target
  return { ...target, traceId: undefined, spanId: undefined, sessionId: session }
}

function scores(attributes: Attributes, target: EvaluationTarget): Evaluation[] {
  const list = jsonObject(attributes[SCORES])
  const flat = Object.entries(attributes).flatMap(([key, value]) =>
    key.startsWith(SCORE) ? [[key.slice(SCORE.length), value] as const] : [],
  )
  return [...Object.entries(list), ...flat].flatMap(
    ([name, score]) => evaluationOf({ name, score }, target) ?? [],
  )
}

/** The span of a scorer stands beside that of the task, under the one that is judged. */
function scoredSpan({ attributes, spanId, parentSpanId }: Span): string | undefined {
  const { type } = jsonObject(attributes[SPAN_TYPE])
  return type === 'score' || type === 'scorer' ? (parentSpanId ?? spanId) : spanId
}

function jsonObject(value: AttributeValue | undefined): Attributes {
  const object = typeof value === 'string' ? parseJson(value).value : value
  return isPlainObject(object) ? (object as Attributes) : {}
}
