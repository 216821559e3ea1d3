// Names that the server gives things. They are English already, so English has no words of its own for them.

export interface Names {
  /** Types of conditions: of our kinds, and of Kubernetes' own. */
  conditions: Record<string, string>;
  /** Keys of the steps of a plan. */
  steps: Record<string, string>;
  /** What would bring a cluster to its Foundation. */
  remedies: Record<string, string>;
  /** What an Operation is for. */
  actions: Record<string, string>;
  /** Types of events. */
  events: Record<string, string>;
}

export const names = null as Names | null;
