import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Prints `N passed, N failed` (`, N skipped` when there are any) as the very last line, for whoever reads only that.
 * A file that did not load, a hook that failed and an error outside of any test each count as one failure.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    )
    const suiteErrors = modules.flatMap((module) => [
      ...module.errors(),
      ...[...module.children.allSuites()].flatMap((suite) => suite.errors()),
    ])
    const count = (state: string) => states.filter((each) => each === state).length
    const failed = count('failed') + count('pending') + suiteErrors.length + errors.length
    const skipped = count('skipped')
    process.once('exit', (exitCode) => {
      // A global set-up that failed is in neither list; the exit code knows.
      const allFailed = failed === 0 && exitCode !== 0 ? 1 : failed
      const line = `${count('passed')} passed, ${allFailed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
      process.stdout.write(`${line}\n`)
    })
  }
}
