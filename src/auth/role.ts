/** What a host may be to the cluster, and how certificates spell it. */

/** What a certificate may be used for. */
export type Role = "mds" | "cs" | "client" | "admin";

/** Every role, in the order in which certificates list them. */
export const ROLES: readonly Role[] = ["admin", "client", "cs", "mds"];

export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}

/** The one spelling of a set of roles: sorted, without repetition, joined by `+` (`client+cs`). */
export function formatRoles(roles: readonly Role[]): string {
  return ROLES.filter((role) => roles.includes(role)).join("+");
}

/** The roles of exactly that spelling, or undefined for any other text, an empty one included. */
export function parseRoles(text: string): readonly Role[] | undefined {
  if (text.length > 32) return undefined;
  const roles = text.split("+").filter(isRole);
  return roles.length > 0 && formatRoles(roles) === text ? roles : undefined;
}
