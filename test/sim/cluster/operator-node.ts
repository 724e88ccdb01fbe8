import { SimNode } from "./sim-node.js";

/** The machine of an operator: no daemon, always up. */
export class OperatorNode extends SimNode {
  protected override begin(): Promise<void> {
    return Promise.resolve();
  }

  protected override died(): void {}
}
