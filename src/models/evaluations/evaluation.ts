/** What somebody or something found of a call: the result of an evaluation, a score, feedback of a user. */
export interface Evaluation {
  /** What was judged: `relevance`. */
  readonly name: string
  readonly score: number | undefined
  /** In words: `pass`. */
  readonly label: string | undefined
  readonly explanation: string | undefined
  /** Who judged: a program's name, or human, llm, code. */
  readonly evaluator: string | undefined
  /** Why there is no result. */
  readonly errorType: string | undefined
  /** The span that is judged, as far as it is known; without a span id the whole trace. */
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  /** The provider's id of the answer that is judged, where the span is not known. */
  readonly responseId: string | undefined
  /** The conversation that is judged. */
  readonly sessionId: string | undefined
}

/** What is judged. */
export type EvaluationTarget = Pick<Evaluation, 'traceId' | 'spanId' | 'responseId' | 'sessionId'>
