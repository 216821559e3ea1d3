import { expect, test } from 'vitest';
import { endingOf, machineShell, podShell } from '../src/api/shells';

test('a shell that ended well has the exit code 0', () => {
  expect(endingOf('{"metadata":{},"status":"Success"}')).toEqual({ code: '0' });
});

test('an exit code is the cause of a failure', () => {
  const causes = [{ reason: 'ExitCode', message: '3' }];
  const status = { status: 'Failure', reason: 'NonZeroExitCode', message: 'exit status 3', details: { causes } };
  expect(endingOf(JSON.stringify(status))).toEqual({ code: '3' });
});

test('what keeps a shell from being opened is told in the words of the server', () => {
  const status = { status: 'Failure', reason: 'ServiceUnavailable', message: 'cannot connect to shop-1' };
  expect(endingOf(JSON.stringify(status))).toEqual({ why: 'cannot connect to shop-1' });
});

test('a machine has a login shell, a pod what its container offers', () => {
  expect(machineShell('/m')).toBe('/m/exec?tty=true');
  const [path, query] = podShell('/p', 'a b').split('?');
  expect(path).toBe('/p/exec');
  expect(new URLSearchParams(query).get('container')).toBe('a b');
  expect(new URLSearchParams(query).getAll('command')).toHaveLength(3);
});
