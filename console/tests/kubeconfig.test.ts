import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { NotKubeconfig, contextsOf, onlyContext } from '../src/pages/kubeconfig';

const CONFIG = `
contexts:
- {name: a, context: {cluster: ca, user: ua}}
- {name: b, context: {cluster: cb, user: ub}}
- {name: c, context: {cluster: ca, user: uc}}
- {name: d, context: {cluster: none, user: ua}}
clusters:
- {name: ca, cluster: {server: "https://a"}}
- {name: cb, cluster: {server: "https://b", certificate-authority: /root/ca.crt}}
users:
- {name: ua, user: {token: secret-a}}
- {name: ub, user: {exec: {command: aws}}}
- {name: uc, user: {}}
`;

test('each context says where it leads, how it logs in, and what is wrong with it', () => {
  expect(
    contextsOf(CONFIG).map(({ name, server, login, problem, field }) => [name, server, login, problem, field]),
  ).toEqual([
    ['a', 'https://a', 'token', '', ''],
    ['b', 'https://b', 'command aws', 'file', 'certificate-authority'],
    ['c', 'https://a', '', 'login', ''],
    ['d', '', 'token', 'server', ''],
  ]);
});

test('one context leaves with its own credentials and nobody else’s', () => {
  const alone = onlyContext(CONFIG, 'b');
  expect(alone).not.toContain('secret-a');
  expect(parse(alone)).toMatchObject({ 'current-context': 'b', clusters: [{ name: 'cb' }], users: [{ name: 'ub' }] });
});

test.each(['a: [', 'words', 'a: 1', '- 1'])('%j is no kubeconfig', (text) => {
  expect(() => contextsOf(text)).toThrow(NotKubeconfig);
});
