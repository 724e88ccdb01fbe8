/** Entropy: real in daemons, seeded in the simulator. Pure rooms get a `Prng` seeded from here. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** Uniform integer in [0, 2^32). */
  uint32(): number;
}
