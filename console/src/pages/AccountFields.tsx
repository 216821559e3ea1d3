import type { ReactNode } from 'react';
import type { Cause } from '../api/http';
import { TextField } from '../parts/Form';
import { useText } from '../text';

interface Props {
  value: string;
  change: (value: string) => void;
  causes: Cause[];
}

/** Groups, one in each line, and what is wrong with the first wrong one. */
export function GroupsField({ value, change, causes }: Props): ReactNode {
  const words = useText().accounts;
  const wrong = causes.find(({ field }) => field?.startsWith('spec.groups'))?.message;
  return (
    <TextField label={words.groups} help={words.groupsHelp} lines={3} value={value} change={change} wrong={wrong} />
  );
}

export interface Passwords {
  password: string;
  again: string;
}

export const NO_PASSWORDS: Passwords = { password: '', again: '' };

interface PasswordProps {
  value: Passwords;
  change: (value: Passwords) => void;
  wrong?: string | undefined;
}

/** A new password, typed twice. */
export function PasswordFields({ value, change, wrong }: PasswordProps): ReactNode {
  const words = useText().accounts;
  const differ = value.again !== '' && value.again !== value.password;
  return (
    <>
      <TextField
        label={words.password}
        help={words.passwordHelp}
        type="password"
        value={value.password}
        change={(password) => {
          change({ ...value, password });
        }}
        required
        wrong={wrong}
      />
      <TextField
        label={words.passwordAgain}
        type="password"
        value={value.again}
        change={(again) => {
          change({ ...value, again });
        }}
        required
        wrong={differ ? words.passwordsDiffer : undefined}
      />
    </>
  );
}
