import { GroupWatch, SpaceWatch } from "./core/group-watch.js";
import { spaceStatus } from "./core/statistics.js";
import type { Leadership } from "./leadership.js";

/** What the leader notices of the other metadata servers and of space, and tells operators. */
export class ClusterWatch {
  readonly #leadership: Leadership;
  readonly #group = new GroupWatch();
  readonly #space = new SpaceWatch();

  constructor(leadership: Leadership) {
    this.#leadership = leadership;
  }

  /** Records what is new as events. */
  async tick(): Promise<void> {
    const leadership = this.#leadership;
    const { id, members, lastIndex } = leadership.replica.status();
    const others = members.filter((member) => member.id !== id);
    const watched = others.map((member) => ({
      mdsId: Number(member.id),
      isVoter: member.role === "voter",
      ...member,
    }));
    const events = [
      ...this.#group.look(watched, lastIndex, leadership.clock.monotonicMs()),
      ...this.#space.look(spaceStatus(leadership.tables)),
    ];
    for (const body of events) await leadership.proposeQuietly({ type: "recordEvent", body });
  }
}
