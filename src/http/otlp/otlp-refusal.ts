/** Why an export request is not taken. `status` tells the client whether to send it again: of those here 429 and 503 do. */
export class OtlpRefusal extends Error {
  readonly status: 400 | 413 | 415 | 429 | 503
  /** Seconds. */
  readonly retryAfter: number | undefined

  constructor(
    status: OtlpRefusal['status'],
    message: string,
    options: { retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'OtlpRefusal'
    this.status = status
    this.retryAfter = options.retryAfter
  }
}
