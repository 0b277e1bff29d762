import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ObservatoryError } from '../../errors.ts'
import { PACKAGE_FOLDER } from '../../package-folder.ts'

const STOP_TIMEOUT_MS = 5000

/**
 * A module of this folder that runs in a process of its own. It is sent its options first and answers by messages; it ends when it
 * has no more to do, or when it is disconnected.
 */
export class ChildModule<Message> {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #name: string

  /** @param onMessage is called with whatever it sends. */
  constructor(name: string, options: object, onMessage: (message: Message) => void) {
    const isSource = import.meta.url.endsWith('.ts')
    const path = join(
      PACKAGE_FOLDER,
      isSource ? 'src' : 'dist',
      'commands',
      'bench',
      `${name}.${isSource ? 'ts' : 'js'}`,
    )
    this.#name = name
    this.#child = fork(path, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child.on('message', (message) => onMessage(message as Message))
    this.#exited = once(this.#child, 'exit')
    this.#exited.catch(() => undefined)
    this.#child.send(options)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Sends it something more. */
  tell(message: object): void {
    this.#child.send(message)
  }

  /** @throws ObservatoryError ERR_INGEST_STOPPED when it has failed. */
  assertRunning(): void {
    const { exitCode, signalCode } = this.#child
    if ((exitCode === null && signalCode === null) || exitCode === 0) return
    const message = `${this.#name} ended in the middle of the bench (${signalCode ?? `exit code ${exitCode}`}); what it said is above`
    throw new ObservatoryError('ERR_INGEST_STOPPED', message)
  }

  /** Lets it end, and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    if (this.#child.connected) this.#child.disconnect()
    const harder = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#exited.catch(() => undefined)
    clearTimeout(harder)
  }
}
