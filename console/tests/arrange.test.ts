import { expect, test } from 'vitest';
import { arranged } from '../src/parts/arrange';

const COLUMNS = [
  { key: 'name', title: 'Name', value: ([name = '']: string[]) => name },
  { key: 'runtime', title: '运行时', value: ([, runtime = '']: string[]) => runtime },
];
const ROWS = [
  ['eu-10', 'docker'],
  ['eu-9', 'containerd'],
  ['us-docker', 'containerd'],
];
const STATES = [{ key: 'state', title: '状态', value: (state: string) => state, word: () => '等待批准' }];
const found = (search: string) => arranged(ROWS, COLUMNS, search, { key: 'name', down: false }).map(([name]) => name);

test.each([
  ['', ['eu-9', 'eu-10', 'us-docker']],
  ['docker', ['eu-10', 'us-docker']],
  ['runtime:docker', ['eu-10']],
  ['运行时:containerd EU', ['eu-9']],
  ['name:us runtime:docker', []],
  ['other:docker', []],
])('%j finds %j', (search, names) => {
  expect(found(search)).toEqual(names);
});

test.each(['awaiting', '等待', '状态:批准'])(
  'a state is found as the API calls it and as it is shown: %j',
  (search) => {
    expect(arranged(['AwaitingApproval'], STATES, search, { key: '', down: false })).toHaveLength(1);
  },
);
