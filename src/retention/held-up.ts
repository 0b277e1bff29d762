/** A removal could not be made now, and will be tried again: it says what holds it up. */
export class HeldUp extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'HeldUp'
  }
}
