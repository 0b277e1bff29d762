import { loadSettings } from '../../config.ts'
import { untilOutputGone } from '../output-gone.ts'
import { paintFor } from '../query/paint.ts'
import { runCommand } from '../run-command.ts'
import { lineOfRecord } from './line-of-record.ts'
import type { TailFlags } from './tail-flags.ts'
import { TailNotices } from './tail-notices.ts'
import { tailSource } from './tail-source.ts'
import type { TailedSignal } from './tailed-signal.ts'
import { writeTail } from './write-tail.ts'

/**
 * Runs a tail on the standard streams. That it is asked to stop, or that nobody reads its output any more, is how a tail ends: no failure.
 *
 * @throws ObservatoryError for what is wrong usage, or when the tail is lost for good.
 */
export async function runTail(tailed: TailedSignal, flags: TailFlags): Promise<void> {
  const { stdout, stderr } = process
  const loaded = loadSettings({ flags: { ...flags } })
  const isTerminal = stdout.isTTY === true
  const paint = paintFor(stdout, process.env, flags.color)
  const lineOf = lineOfRecord(tailed, flags, { isTerminal, paint })
  const source = tailSource(tailed, flags, loaded)
  const notices = new TailNotices({
    source: source.name,
    paint: paintFor(stderr, process.env, flags.color),
    write: flags.quiet ? () => undefined : (line) => void stderr.write(line),
  })
  await runCommand(loaded.settings, ({ stopping, releasers }) =>
    untilOutputGone(async (gone) => {
      const signal = AbortSignal.any([stopping, gone])
      const events = source.open({ notices, signal, releasers })
      await writeTail(events, { lineOf, stdout, notices, follow: flags.follow !== false, signal })
    }),
  )
}
