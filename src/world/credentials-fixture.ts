import { NetloomError } from "../errors/errors.ts";
import type { Credentials, Proof } from "./credentials.ts";

/** A source that the test changes: to another proof, or to the reason why there is none. */
export class ChangingCredentials implements Credentials {
  readonly name = "test";
  readonly announcement = "with certificates of a test";
  now: Proof | NetloomError;

  constructor(now: Proof | NetloomError) {
    this.now = now;
  }

  current(): Proof {
    if (this.now instanceof NetloomError) throw this.now;
    return this.now;
  }
}
