/** Processes of a host. A process stands for its network namespace. */

/** A reference to one process. Process IDs are reused; this reference never changes to another process. */
export interface HeldProcess {
  isAlive(): boolean;
  /** Releases the reference, which never keeps the process or its namespace alive. */
  release(): void;
}

export interface Processes {
  /** NOT_FOUND if there is no process with this ID. */
  hold(pid: number): Promise<HeldProcess>;
}
