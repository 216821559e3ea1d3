// Where shells are opened, in the words of Kubernetes' pods/exec, and what is said of how one ended.

// A shell if there is a good one, else the plain one.
const SHELL = ['sh', '-c', 'command -v bash >/dev/null && exec bash || exec sh'];

/** The address of a shell in a pod's container; `path` is the pod's. */
export function podShell(path: string, container: string): string {
  const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', tty: 'true' });
  for (const word of SHELL) query.append('command', word);
  return `${path}/exec?${query.toString()}`;
}

/** The address of a login shell on a machine; `path` is the Machine's. */
export function machineShell(path: string): string {
  return `${path}/exec?tty=true`;
}

/** The exit code of a shell that has ended, or else why there is none (any more). */
export type Ending = { code: string } | { why: string };

interface Told {
  status?: string;
  message?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

/** What a Status at the end of a shell means. */
export function endingOf(status: string): Ending {
  const { status: outcome, message = '', details } = JSON.parse(status) as Told;
  if (outcome === 'Success') return { code: '0' };
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  return code === undefined ? { why: message } : { code };
}
