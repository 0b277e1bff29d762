import { Command } from 'ioredis'

/**
 * XACK of many ids, written to the socket as one buffer: ids are plain digits, which ioredis would measure and join one by one, at more cost than reading their
 * entries.
 */
export class AckCommand extends Command {
  readonly #bytes: Buffer

  constructor(stream: string, group: string, ids: readonly string[]) {
    super('xack', [stream, group])
    let text = ''
    for (const id of ids) text += `$${id.length}\r\n${id}\r\n`
    const head = `*${3 + ids.length}\r\n$4\r\nxack\r\n${bulk(stream)}${bulk(group)}`
    this.#bytes = Buffer.concat([Buffer.from(head), Buffer.from(text, 'latin1')])
  }

  override toWritable(): Buffer {
    return this.#bytes
  }
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}
