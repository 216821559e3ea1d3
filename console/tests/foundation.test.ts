import { expect, test } from 'vitest';
import { foundationWishOf, specOf, systemsOf } from '../src/pages/foundationWish';

test('operating systems are read one for each line, with the versions that will do', () => {
  expect(systemsOf('debian 11, 12\n\nubuntu\n')).toEqual([
    { id: 'debian', versions: ['11', '12'] },
    { id: 'ubuntu', versions: [] },
  ]);
});

test('what a Foundation says comes out of the form as it went in', () => {
  const spec = {
    operatingSystem: {
      recommended: [{ id: 'debian', versions: ['12'] }],
      allowed: [{ id: 'ubuntu', versions: [] }],
      kernel: { minimum: '5.4.119' },
      settings: { swap: 'Ignored' as const, timeSync: 'Required' as const, kdump: 'Required' as const },
    },
    kubernetes: { distribution: 'tke', version: 'v1.20.6' },
    runtime: { name: 'containerd' as const, version: '>=1.6.0', handlers: ['runc', 'kata'] },
    network: { plugin: 'cilium', features: ['BandwidthManager'] },
  };
  expect(specOf(foundationWishOf({ metadata: { name: 'f' }, spec }))).toEqual(spec);
});
