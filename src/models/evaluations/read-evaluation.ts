import type { Attributes, AttributeValue } from '../attributes.ts'
import { fitsIndex, parseDouble } from '../decode-fields.ts'
import type { Evaluation, EvaluationTarget } from './evaluation.ts'

/** OpenTelemetry's event, and the span that Microsoft Foundry makes of it. */
export const EVALUATION_EVENT = 'gen_ai.evaluation.result'

/**
 * Reads the attributes of OpenTelemetry's `gen_ai.evaluation.result` (open-telemetry/semantic-conventions-genai, gen-ai-events.md), and who judged as the OpenTelemetry
 * exporters of Azure AI Evaluation and Pydantic Evals say it.
 *
 * @param target what they are attached to.
 * @returns undefined where there is no name, or nothing that was found.
 */
export function readEvaluation(attributes: Attributes, target: EvaluationTarget): Evaluation | undefined {
  return evaluationOf(
    {
      name: attributes['gen_ai.evaluation.name'],
      score: attributes['gen_ai.evaluation.score.value'],
      label: attributes['gen_ai.evaluation.score.label'],
      explanation: attributes['gen_ai.evaluation.explanation'],
      errorType: attributes['error.type'],
      evaluator:
        attributes['gen_ai.evaluator.name'] ??
        attributes['gen_ai.evaluation.evaluator.name'] ??
        attributes['microsoft.gen_ai.evaluation.actor.type'],
    },
    {
      ...target,
      responseId: textOf(attributes['gen_ai.response.id']) ?? target.responseId,
      sessionId: textOf(attributes['gen_ai.conversation.id'] ?? attributes['session.id']) ?? target.sessionId,
    },
  )
}

/** The values of an evaluation, whatever they are called. */
export interface LooseEvaluation {
  readonly name: AttributeValue | undefined
  readonly score?: AttributeValue | undefined
  readonly label?: AttributeValue | undefined
  readonly explanation?: AttributeValue | undefined
  readonly errorType?: AttributeValue | undefined
  readonly evaluator?: AttributeValue | undefined
}

/** An evaluation of loose values: a score may be a truth value, or a number in a text. */
export function evaluationOf(loose: LooseEvaluation, target: EvaluationTarget): Evaluation | undefined {
  const name = textOf(loose.name)
  const score = scoreOf(loose.score)
  const label = textOf(loose.label) ?? (score === undefined ? textOf(loose.score) : undefined)
  const errorType = textOf(loose.errorType)
  const explanation = typeof loose.explanation === 'string' ? loose.explanation : undefined
  const isEmpty = [score, label, errorType, explanation].every((each) => each === undefined)
  if (name === undefined || isEmpty) return undefined
  return { name, score, label, explanation, errorType, evaluator: textOf(loose.evaluator), ...target }
}

/** Larger ones are a mistake, and their sum is no number any more. */
const MAX_SCORE = 1e100

function scoreOf(value: AttributeValue | undefined): number | undefined {
  if (typeof value === 'boolean') return Number(value)
  if (value === undefined || value === null) return undefined
  const score = parseDouble(value)
  return score !== undefined && Math.abs(score) <= MAX_SCORE ? score : undefined
}

/** Text that is filtered and grouped by: short enough for an index. */
function textOf(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && fitsIndex(value) ? value : undefined
}
