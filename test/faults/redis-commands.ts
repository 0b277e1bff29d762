export interface RedisCommand {
  /** Its words; the long ones, which are values, are left empty. */
  readonly args: readonly string[]
  readonly bytes: Buffer
}

const LONGEST_WORD_BYTES = 256

/** Cuts what a client sends into commands: RESP arrays of bulk strings, which is all that a client library sends. */
export class RedisCommands {
  #rest: Buffer = Buffer.alloc(0)

  /** The commands that are complete with this chunk. */
  read(chunk: Buffer): RedisCommand[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const commands: RedisCommand[] = []
    for (;;) {
      const command = parseCommand(this.#rest)
      if (command === undefined) return commands
      commands.push(command)
      this.#rest = this.#rest.subarray(command.bytes.length)
    }
  }
}

/** The first command, or undefined when it is not all there yet. */
function parseCommand(buffer: Buffer): RedisCommand | undefined {
  const head = readLength(buffer, 0, '*')
  if (head === undefined) return undefined
  const args: string[] = []
  let offset = head.end
  for (let index = 0; index < head.length; index += 1) {
    const bulk = readLength(buffer, offset, '$')
    if (bulk === undefined) return undefined
    const end = bulk.end + bulk.length
    if (buffer.length < end + 2) return undefined
    args.push(bulk.length > LONGEST_WORD_BYTES ? '' : buffer.toString('latin1', bulk.end, end))
    offset = end + 2
  }
  return { args, bytes: buffer.subarray(0, offset) }
}

function readLength(
  buffer: Buffer,
  offset: number,
  type: '*' | '$',
): { readonly length: number; readonly end: number } | undefined {
  if (offset >= buffer.length) return undefined
  if (buffer[offset] !== type.charCodeAt(0)) throw new Error(`Expected ${type} in a Redis command`)
  const end = buffer.indexOf('\r\n', offset)
  if (end < 0) return undefined
  return { length: Number(buffer.toString('latin1', offset + 1, end)), end: end + 2 }
}
