import type { ReactNode } from 'react';
import type { Condition } from '../api/kinds';
import { useText } from '../text';
import { words } from './Status';
import { Age } from './Time';

export function Conditions({ of }: { of: Condition[] | undefined }): ReactNode {
  const text = useText();
  return (
    <table className="table plain">
      <tbody>
        {(of ?? []).map((condition) => (
          <tr key={condition.type}>
            <th scope="row">{words(condition.type)}</th>
            <td>{condition.status === 'True' ? text.state.yes : condition.status === 'False' ? text.state.no : '?'}</td>
            <td>{condition.message}</td>
            <td className="wide">
              <Age of={condition.lastTransitionTime} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
