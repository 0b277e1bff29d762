import { AGENTS, type DemoAgent } from './agents.ts'
import { type DemoModel, MODELS } from './models.ts'
import type { Random } from './random.ts'
import type { DemoEnvironment } from './services.ts'

/** One user talking to one agent. Its history grows from turn to turn, and with it input and cached tokens. */
export interface Conversation {
  readonly id: string
  readonly userId: string
  readonly agent: DemoAgent
  readonly model: DemoModel
  readonly environment: DemoEnvironment
  /** Tokens of instructions, tool definitions and all turns so far. */
  historyTokens: number
  /** What of the history the provider has seen and so reads from its cache. */
  cachedTokens: number
  turnsLeft: number
}

/** Conversations going on at the same time. */
const MOST_CONVERSATIONS = 40
const USERS = 200

/** The conversations that go on; one that ends is replaced when the next turn asks for one. */
export class Conversations {
  readonly #random: Random
  readonly #active: Conversation[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** The conversation whose turn it is. */
  next(): Conversation {
    const random = this.#random
    if (this.#active.length < MOST_CONVERSATIONS && random.chance(0.3)) this.#active.push(this.#begin())
    const index = random.integer(0, this.#active.length - 1)
    const conversation = this.#active[index] ?? this.#begin()
    conversation.turnsLeft--
    if (conversation.turnsLeft <= 0) this.#active.splice(index, 1)
    return conversation
  }

  #begin(): Conversation {
    const random = this.#random
    return {
      id: `conv_${random.hex(12)}`,
      userId: `user-${String(random.integer(1, USERS)).padStart(4, '0')}`,
      agent: random.weighted(AGENTS),
      model: random.weighted(MODELS),
      environment: random.chance(0.85) ? 'production' : 'staging',
      historyTokens: Math.round(random.skewed(900, 0.3)),
      cachedTokens: 0,
      turnsLeft: random.integer(1, 8),
    }
  }
}
