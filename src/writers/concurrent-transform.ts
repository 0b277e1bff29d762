import { Transform } from 'node:stream'

/**
 * A Transform that works on up to `concurrency` chunks at once and passes results on in order of completion.
 *
 * It takes the next chunk as soon as fewer than `concurrency` are in work; a failure ends the stream, and `signal` tells the
 * work still going on that it did.
 */
export function concurrentTransform<In, Out>(
  concurrency: number,
  work: (chunk: In, signal: AbortSignal) => Promise<Out>,
): Transform {
  const ended = new AbortController()
  let working = 0
  let proceed: (() => void) | undefined
  let finish: (() => void) | undefined

  const settle = () => {
    working -= 1
    // Going on may take a chunk that waited, which then waits in `proceed` itself.
    const next = proceed
    proceed = undefined
    next?.()
    if (working === 0) finish?.()
  }

  return new Transform({
    objectMode: true,
    readableHighWaterMark: concurrency,
    writableHighWaterMark: 1,
    transform(chunk: In, _encoding, callback) {
      working += 1
      work(chunk, ended.signal).then(
        (result) => {
          if (!this.destroyed) this.push(result)
          settle()
        },
        (error) => this.destroy(error as Error),
      )
      if (working < concurrency) callback()
      else proceed = callback
    },
    flush(callback) {
      if (working === 0) callback()
      else finish = callback
    },
    destroy(error, callback) {
      ended.abort(error ?? new Error('The pipeline was stopped'))
      callback(error)
    },
  })
}
