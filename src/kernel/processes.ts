/** Processes of a host, as far as a mesh has to do with them: somebody names one, and means its network namespace. */

/** A process that is still the same one as when it was named: numbers are reused, this is not. */
export interface HeldProcess {
  isAlive(): boolean;
  /** Ends the hold. It never keeps the process or its namespace alive. */
  release(): void;
}

export interface Processes {
  /** NOT_FOUND if there is no process with this number. */
  hold(pid: number): Promise<HeldProcess>;
}
