/**
 * Attributes that hold what was said to a model and what it said, and what was looked up for it: long, private, and never filtered by.
 * Indexed forms (`gen_ai.prompt.0.content`) belong to them; names beside them (`gen_ai.prompt.name`,
 * `llm.prompt_template.template`) and definitions of tools do not.
 */
const CONTENT_KEY = new RegExp(
  `^(?:${[
    'gen_ai\\.(?:input\\.messages|output\\.messages|system_instructions)',
    'gen_ai\\.(?:prompt|completion)(?:\\.\\d.*)?',
    'gen_ai\\.content\\.(?:prompt|completion|revised_prompt|reasoning)',
    'gen_ai\\.event\\.content',
    'gen_ai\\.tool\\.call\\.(?:arguments|result)',
    'llm\\.(?:input_messages|output_messages|prompts|choices|completions)(?:\\..*)?',
    'llm\\.(?:function_call|prompt_template\\.variables)',
    'gen_ai\\.retrieval\\.(?:query\\.text|documents)',
    'retrieval\\.documents\\..*',
    'reranker\\.(?:query|(?:input|output)_documents\\..*)',
    'gen_ai\\.evaluation\\.explanation',
    '(?:(?:trace|session)\\.)?(?:annotations|evaluations)\\.\\d+\\.(?:annotation|evaluation)\\.explanation',
    'braintrust\\.(?:input|output)(?:_json)?',
    '(?:pydantic_ai\\.)?all_messages(?:_events)?',
    'embedding\\.(?:text|vector|embeddings(?:\\..*)?)',
    '(?:input|output)\\.value',
    'traceloop\\.entity\\.(?:input|output)',
    'ai\\.prompt(?:\\.messages)?',
    'ai\\.(?:response|result)\\.(?:text|object|toolCalls|reasoning|files)',
    'ai\\.toolCall\\.(?:args|result)',
    'ai\\.(?:values?|embeddings?)',
    'langfuse\\.(?:observation|trace)\\.(?:input|output)',
  ].join('|')})$`,
  's',
)

/** Programs have few attribute names, and each is looked at once a span. Past so many, all are forgotten: they cost a regular expression again. */
const MAX_KNOWN_KEYS = 10_000
/** Longer ones are not remembered. */
const MAX_KNOWN_KEY_LENGTH = 256
const known = new Map<string, boolean>()

/** Whether an attribute is the body of a prompt or a completion. */
export function isContentKey(key: string): boolean {
  if (key.length > MAX_KNOWN_KEY_LENGTH) return CONTENT_KEY.test(key)
  let isContent = known.get(key)
  if (isContent === undefined) {
    isContent = CONTENT_KEY.test(key)
    if (known.size >= MAX_KNOWN_KEYS) known.clear()
    known.set(key, isContent)
  }
  return isContent
}
