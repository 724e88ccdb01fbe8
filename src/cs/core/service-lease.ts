/**
 * Whether this server may serve. It was promised `leaseMs` from the moment it *sent* the last heartbeat that was
 * answered, and stops by itself when they are over: the MDS, which counts from the moment it heard it, never
 * gives up a server that still serves.
 */
export class ServiceLease {
  #leaseMs = 0;
  #sentAtMs = 0;
  #isAdmitted = false;

  /** The MDS has taken the whole inventory of a registration that was sent at that time. */
  admit(sentAtMs: number, leaseMs: number): void {
    this.#isAdmitted = true;
    this.#leaseMs = leaseMs;
    this.#sentAtMs = Math.max(this.#sentAtMs, sentAtMs);
  }

  /** A heartbeat that was sent at that time was answered. */
  renew(sentAtMs: number): void {
    this.#sentAtMs = Math.max(this.#sentAtMs, sentAtMs);
  }

  /** Once over, only a new admission helps: in between the MDS may have decided anything. */
  mayServe(nowMs: number): boolean {
    if (this.#isAdmitted && nowMs >= this.#sentAtMs + this.#leaseMs) this.#isAdmitted = false;
    return this.#isAdmitted;
  }
}
