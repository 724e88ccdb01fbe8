import type { FileHandle } from "../../client/index.js";
import { MODE_SETGID, MODE_SETUID } from "../../meta/index.js";
import type { Node } from "../nodes/node-table.js";

/** One open of a regular file by the kernel. */
export class OpenHandle {
  readonly file: FileHandle;
  readonly node: Node;
  /** Reads and writes go past the page cache. */
  readonly isDirect: boolean;
  #checkedMode = -1;

  constructor(file: FileHandle, node: Node, isDirect: boolean) {
    this.file = file;
    this.node = node;
    this.isDirect = isDirect;
  }

  /**
   * Whether a write by somebody who may not keep privileges can find some to take away: set-user-ID or set-group-ID, or
   * file capabilities, which only a file that somebody may execute has any use for. Once told of a mode, it is not asked
   * again for the same one.
   */
  mayHavePrivileges(): boolean {
    const mode = this.node.attributes?.mode ?? 0;
    if (mode === this.#checkedMode) return false;
    return (mode & (MODE_SETUID | MODE_SETGID | ANY_EXECUTE)) !== 0;
  }

  privilegesTaken(): void {
    this.#checkedMode = this.node.attributes?.mode ?? 0;
  }
}

const ANY_EXECUTE = 0o111;
