// What surveys found to have changed, newest first.

import type { ReactNode } from 'react';
import type { FactChange } from '../api/kinds';
import { Panel } from '../parts/Page';
import { Age } from '../parts/Time';
import { useText } from '../text';

export function History({ of }: { of: FactChange[] }): ReactNode {
  const text = useText();
  const words = text.history;
  return (
    <Panel title={words.title}>
      <table className="table plain">
        <thead>
          <tr>
            <th scope="col">{words.time}</th>
            <th scope="col">{words.what}</th>
            <th scope="col">{text.operations.before}</th>
            <th scope="col">{text.operations.after}</th>
          </tr>
        </thead>
        <tbody>
          {of.map((change) => (
            <tr key={`${change.time}/${change.source ?? ''}/${change.what ?? ''}`}>
              <td>
                <Age of={change.time} />
              </td>
              <th scope="row">{change.what}</th>
              <td>{change.before || text.state.none}</td>
              <td>{change.after || text.state.none}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
