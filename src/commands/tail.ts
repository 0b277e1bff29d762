import { Command } from 'commander'
import { runTail } from './tail/run-tail.ts'
import { addTailFlags, type TailFlags } from './tail/tail-flags.ts'
import { TAILED_SIGNALS, type TailedSignal } from './tail/tailed-signal.ts'

const EXAMPLES = `
Records as they come in, stored or not yet, from a service that runs. The words that filter
are those of HTTP and of "observatory query". A lost connection is made again, and goes on
after the last record. Ctrl-C ends it.

Examples:
  observatory tail logs
  observatory tail logs --level error -n 20 -H 'user [0-9]+'
  observatory tail spans --model gpt-4o --min-duration 2s
  observatory tail metrics --name queue.depth | jq .value
  observatory tail logs --url http://telemetry.example:4318 --service api`

/** `observatory tail`: what comes in, live. */
export function tailCommand(): Command {
  const command = new Command('tail')
    .description('Show log records, spans or metrics live, as they come in.')
    .addHelpText('after', EXAMPLES)
  for (const tailed of TAILED_SIGNALS) command.addCommand(signalCommand(tailed))
  return command
}

function signalCommand(tailed: TailedSignal): Command {
  const command = new Command(tailed.path).description(`Show ${tailed.noun} that match, as they come in.`)
  return addTailFlags(command, tailed.columns)
    .addHelpText('after', tailed.examples)
    .action((flags: TailFlags) => runTail(tailed, flags))
}
