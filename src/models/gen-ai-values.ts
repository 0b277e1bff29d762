import { MAX_INT64 } from './decode-fields.ts'
import { GEN_AI_COLUMNS, type GenAiColumn, type GenAiSource } from './gen-ai-sources.ts'

const PLACES = Object.fromEntries(GEN_AI_COLUMNS.map((column, place) => [column, place])) as Readonly<
  Record<GenAiColumn, number>
>
const INPUT = PLACES.inputTokens
const OUTPUT = PLACES.outputTokens
const CACHED = PLACES.cachedTokens
const CACHE_CREATION = PLACES.cacheCreationTokens
const REASONING = PLACES.reasoningTokens

/**
 * What the gen_ai columns of one span hold, while its attributes are gone through: of several attributes for a column the one that ranks first. One object serves all spans, one after the
 * other.
 *
 * Tokens are counted as OpenTelemetry counts them: input tokens include those read from and written to a cache, output tokens those of reasoning. Of dialects that count
 * them apart the sum is made; so it is where the part is more than the whole, which only an instrumentation that counts them apart can say (Anthropic's API does).
 */
export class GenAiValues {
  readonly #values: unknown[] = GEN_AI_COLUMNS.map(() => undefined)
  readonly #sources: (GenAiSource | undefined)[] = GEN_AI_COLUMNS.map(() => undefined)
  #count = 0

  begin(): void {
    if (this.#count === 0) return
    this.#count = 0
    this.#values.fill(undefined)
    this.#sources.fill(undefined)
  }

  /** Whether any column is filled. */
  get hasAny(): boolean {
    return this.#count > 0
  }

  /** Whether what this attribute holds would count. */
  takes({ column, rank }: GenAiSource): boolean {
    const known = this.#sources[PLACES[column]]
    return known === undefined || rank <= known.rank
  }

  /** @param value undefined where the column cannot hold what the attribute does. */
  set(source: GenAiSource, value: unknown): void {
    if (value === undefined) return
    const place = PLACES[source.column]
    this.#values[place] = value
    this.#sources[place] = source
    this.#count += 1
  }

  /** What a column holds, by its place in {@link GEN_AI_COLUMNS}. */
  at(place: number): unknown {
    return this.#values[place]
  }

  /** After the last attribute. */
  finish(): void {
    const cached = this.#values[CACHED] as Tokens | undefined
    const created = this.#values[CACHE_CREATION] as Tokens | undefined
    const reasoning = this.#values[REASONING] as Tokens | undefined
    if (cached !== undefined || created !== undefined) this.#include(INPUT, sum(cached ?? 0, created ?? 0))
    if (reasoning !== undefined) this.#include(OUTPUT, reasoning)
  }

  #include(place: number, part: Tokens): void {
    const whole = this.#values[place] as Tokens | undefined
    if (whole === undefined || (this.#sources[place]?.isApart !== true && whole >= part)) return
    const all = sum(whole, part)
    if (all <= MAX_INT64) this.#values[place] = all
  }
}

type Tokens = number | bigint

/** A bigint only past 2^53. */
function sum(a: Tokens, b: Tokens): Tokens {
  const number = Number(a) + Number(b)
  return Number.isSafeInteger(number) ? number : BigInt(a) + BigInt(b)
}

/** The place of a column in {@link GEN_AI_COLUMNS}. */
export function placeOf(column: GenAiColumn): number {
  return PLACES[column]
}
