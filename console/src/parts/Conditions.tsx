import type { ReactNode } from 'react';
import type { Condition } from '../api/kinds';
import { useText } from '../text';
import { Named } from './Named';
import { words } from './Status';
import { Age } from './Time';

export function Conditions({ of }: { of: Condition[] | undefined }): ReactNode {
  const { state } = useText();
  const said = { True: state.yes, False: state.no, Unknown: state.unknown };
  return (
    <table className="table plain">
      <tbody>
        {(of ?? []).map((condition) => (
          <tr key={condition.type}>
            <th scope="row">
              <TypeOf condition={condition} />
            </th>
            <td>{said[condition.status]}</td>
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

function TypeOf({ condition: { type } }: { condition: Condition }): ReactNode {
  const { names } = useText();
  return names ? <Named own={names.conditions[type]} server={type} /> : words(type);
}
