/** The connection of a tail is lost, or could not be made: it may be made again. `message` says why. */
export class TailLost extends Error {
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    options: { readonly retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'TailLost'
    this.retryAfterMs = options.retryAfterMs
  }
}
