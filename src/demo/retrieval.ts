import type { Random } from './random.ts'
import type { TraceDraft } from './trace-draft.ts'

const EMBEDDING_MODEL = 'text-embedding-3-small'

/** Drafts a look into a vector store: embed the question, then search for its neighbours. */
export function draftRetrieval(
  trace: TraceDraft,
  random: Random,
  { dataSource, question }: { readonly dataSource: string; readonly question: string },
): void {
  const span = trace.open({
    service: 'retriever',
    name: `retrieval ${dataSource}`,
    kind: 'server',
    attributes: {
      'gen_ai.operation.name': 'retrieval',
      'gen_ai.data_source.id': dataSource,
      'gen_ai.retrieval.query.text': question,
    },
  })
  trace.pass(random.skewed(1))
  draftEmbeddings(trace, random, question)
  draftSearch(trace, random)
  const found = random.integer(0, 5)
  const body = `${found} documents of ${dataSource} match`
  trace.log(span, {
    severity: found === 0 ? 'WARN' : 'INFO',
    body,
    attributes: { 'retrieval.documents': found },
  })
  trace.close(span)
}

function draftEmbeddings(trace: TraceDraft, random: Random, question: string): void {
  const span = trace.open({
    service: 'retriever',
    name: `embeddings ${EMBEDDING_MODEL}`,
    kind: 'client',
    attributes: {
      'gen_ai.operation.name': 'embeddings',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': EMBEDDING_MODEL,
      'gen_ai.response.model': EMBEDDING_MODEL,
      'gen_ai.embeddings.dimension.count': 1536,
      'gen_ai.usage.input_tokens': Math.ceil(question.length / 4),
      'server.address': 'api.openai.com',
    },
  })
  trace.pass(random.skewed(90, 0.4))
  trace.close(span)
}

function draftSearch(trace: TraceDraft, random: Random): void {
  const span = trace.open({
    service: 'retriever',
    name: 'SELECT documents',
    kind: 'client',
    attributes: {
      'db.system.name': 'postgresql',
      'db.operation.name': 'SELECT',
      'db.collection.name': 'documents',
      'db.query.text': 'SELECT id, body FROM documents ORDER BY embedding <=> $1 LIMIT 5',
    },
  })
  trace.pass(random.skewed(14, 0.6))
  trace.close(span)
}
