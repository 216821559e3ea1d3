import { expect, test } from 'vitest';
import { addressesOf, machinesOf } from '../src/pages/AddMachines';
import { otherThan, wrongWith } from '../src/parts/Form';
import { firstLogin } from '../src/parts/Login';
import { moreOf } from '../src/pages/CreateCluster';
import { room } from '../src/pages/cidr';

test('addresses are told apart by line ends, commas, semicolons and spaces, and each counts once', () => {
  expect(addressesOf(' 10.0.0.1;10.0.0.2\n10.0.0.3, 10.0.0.1 ')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
});

test('machines are numbered and log in alike', () => {
  const login = { ...firstLogin('key'), user: 'ops', port: '2222' };
  const made = machinesOf({ namespace: 'a', addresses: '10.0.0.1 10.0.0.2', prefix: 'n-', login });
  expect(made.map(({ metadata, spec }) => [metadata?.name, spec.address])).toEqual([
    ['n-1', '10.0.0.1'],
    ['n-2', '10.0.0.2'],
  ]);
  expect(made[0]?.spec.ssh).toEqual({ user: 'ops', port: 2222, secretRef: { name: 'key' } });
});

test.each([
  ['10.244.0.0/16', 65_536],
  ['10.0.0.0/32', 1],
  ['10.0.0.0/33', null],
  ['10.0.0.256/8', null],
  ['10.0.0.0', null],
  ['fd00::/48', null],
])('in %s there is room for %s', (cidr, addresses) => {
  expect(room(cidr)).toBe(addresses);
});

test.each([
  ['', {}],
  ['addons: {dns: None}', { addons: { dns: 'None' } }],
  ['- a', null],
  ['word', null],
  ['a: [', null],
])('%j says of the spec: %j', (written, expected) => {
  expect(moreOf(written)).toEqual(expected);
});

test('what is wrong is said once: at its field, which its parts belong to, or beside the button', () => {
  const causes = ['spec.runtime', 'spec.hosts[0].id', 'spec.hostsFile', 'spec.kubernetes.version', undefined].map(
    (field) => ({ ...(field === undefined ? {} : { field }), message: `wrong ${field ?? 'altogether'}` }),
  );
  const known = ['spec.runtime', 'spec.hosts', 'spec.kubernetes'];
  expect(known.map((field) => wrongWith(causes, field))).toEqual([
    'wrong spec.runtime',
    'wrong spec.hosts[0].id',
    'wrong spec.kubernetes.version',
  ]);
  expect(otherThan(known, causes).map(({ message }) => message)).toEqual(['wrong spec.hostsFile', 'wrong altogether']);
});
