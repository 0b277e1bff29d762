import type { QueryFormat } from './query-flags.ts'

/** A terminal, a pipe or a file, or what stands for one. */
export type QueryStdout = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

/** Where a query writes, in which form, and what ends it. */
export interface QueryOutput {
  readonly format: QueryFormat
  readonly stdout: QueryStdout
  readonly stderr: { readonly isTTY?: boolean | undefined; write(text: string): unknown }
  readonly signal: AbortSignal
}
