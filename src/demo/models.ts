/** A model that the demo's agents call: real names, made-up speeds. */
export interface DemoModel {
  readonly weight: number
  /** `gen_ai.provider.name` */
  readonly provider: string
  readonly address: string
  readonly requestModel: string
  readonly responseModel: string
  /** Median milliseconds to the first chunk. */
  readonly firstChunkMs: number
  readonly tokensPerSecond: number
  readonly isReasoning: boolean
}

const OPENAI = { provider: 'openai', address: 'api.openai.com' }
const ANTHROPIC = { provider: 'anthropic', address: 'api.anthropic.com' }
const GEMINI = { provider: 'gcp.gemini', address: 'generativelanguage.googleapis.com' }
const MISTRAL = { provider: 'mistral_ai', address: 'api.mistral.ai' }

export const MODELS: readonly [DemoModel, ...DemoModel[]] = [
  {
    ...OPENAI,
    weight: 30,
    requestModel: 'gpt-4.1-mini',
    responseModel: 'gpt-4.1-mini-2025-04-14',
    firstChunkMs: 380,
    tokensPerSecond: 110,
    isReasoning: false,
  },
  {
    ...OPENAI,
    weight: 14,
    requestModel: 'gpt-4.1',
    responseModel: 'gpt-4.1-2025-04-14',
    firstChunkMs: 620,
    tokensPerSecond: 70,
    isReasoning: false,
  },
  {
    ...OPENAI,
    weight: 6,
    requestModel: 'o4-mini',
    responseModel: 'o4-mini-2025-04-16',
    firstChunkMs: 2_900,
    tokensPerSecond: 95,
    isReasoning: true,
  },
  {
    ...ANTHROPIC,
    weight: 22,
    requestModel: 'claude-sonnet-4-5',
    responseModel: 'claude-sonnet-4-5-20250929',
    firstChunkMs: 850,
    tokensPerSecond: 65,
    isReasoning: false,
  },
  {
    ...ANTHROPIC,
    weight: 12,
    requestModel: 'claude-haiku-4-5',
    responseModel: 'claude-haiku-4-5-20251001',
    firstChunkMs: 420,
    tokensPerSecond: 130,
    isReasoning: false,
  },
  {
    ...GEMINI,
    weight: 10,
    requestModel: 'gemini-2.5-flash',
    responseModel: 'gemini-2.5-flash',
    firstChunkMs: 450,
    tokensPerSecond: 170,
    isReasoning: true,
  },
  {
    ...MISTRAL,
    weight: 6,
    requestModel: 'mistral-large-latest',
    responseModel: 'mistral-large-2411',
    firstChunkMs: 560,
    tokensPerSecond: 55,
    isReasoning: false,
  },
]
