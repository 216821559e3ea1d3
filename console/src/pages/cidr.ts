// How much room is in a range of IPv4 addresses.

const CIDR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/;

/** The number of addresses in a range such as 10.244.0.0/16; null when it is none. */
export function room(cidr: string): number | null {
  const match = CIDR.exec(cidr.trim());
  if (!match) return null;
  const [, ...parts] = match;
  const bits = Number(parts.pop());
  if (bits > 32 || parts.some((part) => Number(part) > 255)) return null;
  return 2 ** (32 - bits);
}
