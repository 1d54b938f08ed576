/** A machine as a check of the doctor sees it. */

/** Files below a root directory: `/`, or a directory of a test. A file that cannot be read counts as absent. */
export interface FileTree {
  /** Content of the file `path` (without a leading slash). */
  read(path: string): string | undefined;
  /** Names in the directory `path`, sorted; empty if there is no such directory. */
  list(path: string): readonly string[];
  /** The target of the symbolic link `path`. */
  target(path: string): string | undefined;
}

/** A device of the namespace that netloom runs in, made by any program. */
export interface DeviceFacts {
  readonly name: string;
  /** IFLA_INFO_KIND; `undefined` for hardware and `lo`. */
  readonly kind?: string;
  /** IFLA_GROUP. */
  readonly group: number;
  readonly isUp?: boolean;
  readonly vxlan?: { readonly vni: number; readonly port: number };
}

export interface ExaminedMachine extends FileTree {
  readonly devices: readonly DeviceFacts[];
  /**
   * Settings of a future agent, by the name of their option (`vxlan-port`). Default: those of the agent that runs here, or the
   * defaults of the options.
   */
  readonly settings: Readonly<Record<string, number>>;
}
