/** A place for files: a folder, or a bucket of an S3-compatible server. Paths have slashes, and no dots alone. */
export interface ArchiveStorage {
  /** For people: `s3://bucket/prefix`, without secrets. */
  readonly place: string
  /** Writes a file, which is there whole when this resolves, and not at all before. */
  write(path: string, chunks: AsyncIterable<Buffer>): Promise<void>
  /** @returns undefined where there is no such file. */
  size(path: string): Promise<number | undefined>
  /** The bytes from `start` to before `end`. */
  read(path: string, start: number, end: number): Promise<Buffer>
  /** All bytes, in order. */
  stream(path: string): AsyncIterable<Buffer>
  /** Every file below a folder, in order; with `unfinished` also what writers that are gone have left of files. */
  list(folder: string, options?: { readonly unfinished?: boolean }): Promise<readonly string[]>
  /** Removes a file, or finds that it is not there. */
  remove(path: string): Promise<void>
}
