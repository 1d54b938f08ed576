/** Numbers about the state of a process: each one registers here, and displays and exporters read them here. */

/** `host_wires`: lower case, words with `_`, unit last. */
export type GaugeName = string;

export interface Gauge {
  readonly name: GaugeName;
  /** One sentence for people. */
  readonly help: string;
  /** Reads the present value. Must be cheap, and must not throw. */
  read(): number;
}

export interface Sample {
  readonly name: GaugeName;
  readonly help: string;
  readonly value: number;
}

export class Gauges {
  readonly #gauges = new Map<GaugeName, Gauge>();

  /** Each name can be registered once: a TypeError otherwise. The returned function removes the gauge. */
  register(gauge: Gauge): () => void {
    if (!/^[a-z][a-z0-9_]*$/.test(gauge.name)) throw new TypeError(`a gauge called ${gauge.name}`);
    if (this.#gauges.has(gauge.name)) throw new TypeError(`two gauges called ${gauge.name}`);
    this.#gauges.set(gauge.name, gauge);
    return () => this.#gauges.delete(gauge.name);
  }

  /** The present values, sorted by name. */
  read(): Sample[] {
    return [...this.#gauges.values()]
      .map((gauge) => ({ name: gauge.name, help: gauge.help, value: gauge.read() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
