import type { Decoded } from '../../models/rejection.ts'

/** One record of a file as it was read, or why it could not be. */
export type InputRecord = Decoded<Record<string, unknown>> & {
  /** Where it begins; the first line of the file is 1. */
  readonly line: number
}

/** Some records in the order of the file, and how far into the file they reach. */
export interface InputChunk {
  readonly records: readonly InputRecord[]
  readonly bytesRead: number
}
