/** A word of a query that cannot be meant: which it is, and a sentence that says what would be right and begins with its name. */
export class BadParameter extends Error {
  readonly parameter: string

  constructor(parameter: string, message: string) {
    super(message)
    this.name = 'BadParameter'
    this.parameter = parameter
  }
}
