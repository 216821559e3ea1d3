// An object as YAML, to be read, and changed by who may. What somebody else changed meanwhile is not written over: the
// server refuses it, and both can be seen.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { parse, stringify } from 'yaml';
import { ApiError, json } from '../api/http';
import type { Obj } from '../api/resources';
import type { Kinds } from '../api/schema';
import { schemaOf } from '../api/schema';
import { useText } from '../text';
import { Button } from './Button';
import { Editor } from './Editor';
import { ErrorLine, Loading, Problem } from './Notice';
import { Copyable } from './Copyable';
import { useAttempt } from './attempt';

export function EditYaml({ path, mayEdit }: { path: string; mayEdit: boolean }): ReactNode {
  const text = useText();
  const client = useQueryClient();
  const [editing, setEditing] = useState(false);
  const { data, error } = useQuery({ queryKey: ['object', path], queryFn: () => json<Obj>(path) });
  if (error instanceof ApiError) return <Problem error={error} what={text.cluster.yaml} member />;
  if (!data) return <Loading />;
  const content = stringify(readable(data));
  if (!editing) {
    return (
      <>
        {mayEdit && (
          <div className="table-bar">
            <Button
              theme="primary"
              onClick={() => {
                setEditing(true);
              }}
            >
              {text.yaml.edit}
            </Button>
          </div>
        )}
        <Copyable content={content} label={text.cluster.yaml} />
      </>
    );
  }
  return (
    <Change
      path={path}
      content={content}
      object={data}
      done={(changed) => {
        if (changed) client.setQueryData(['object', path], changed);
        else void client.invalidateQueries({ queryKey: ['object', path] });
        setEditing(false);
      }}
    />
  );
}

/** Without the record of who wrote which field, which nobody reads. */
function readable(object: Obj): object {
  const metadata: Record<string, unknown> = { ...object.metadata };
  delete metadata.managedFields;
  return { ...object, metadata };
}

interface ChangeProps {
  path: string;
  content: string;
  object: Obj;
  done: (changed?: Obj) => void;
}

function Change({ path, content, object, done }: ChangeProps): ReactNode {
  const text = useText();
  const kinds = useSchema(path, object);
  const [written, setWritten] = useState(content);
  const { busy, error, run } = useAttempt();
  const save = async (): Promise<void> => {
    done(await json<Obj>(`${path}?fieldValidation=Strict`, { method: 'PUT', body: decoded(written) }));
  };
  return (
    <>
      {error?.code === 409 && <p className="banner">{text.yaml.conflict}</p>}
      {error && <ErrorLine error={error} />}
      <Editor label={text.cluster.yaml} content={content} change={setWritten} kinds={kinds} />
      {kinds && <p className="field-help">{text.yaml.fields}</p>}
      <div className="table-bar">
        <Button theme="primary" loading={busy} onClick={() => void run(save)}>
          {text.yaml.save}
        </Button>
        <Button
          variant="outline"
          onClick={() => {
            done();
          }}
        >
          {text.yaml.discard}
        </Button>
      </div>
    </>
  );
}

/** What the fields of an object are, of the API that its path is in; null while that is not known. */
function useSchema(path: string, { apiVersion = '', kind = '' }: Obj): Kinds | null {
  const base = path.split(/\/apis?\//)[0] ?? '';
  const queryKey = ['schema', base, apiVersion, kind];
  const { data } = useQuery({ queryKey, queryFn: () => schemaOf(base, { apiVersion, kind }), staleTime: Infinity });
  return data ?? null;
}

/** What was written as an object; a mistake in the YAML is an ApiError, as one that the server finds. */
function decoded(written: string): unknown {
  try {
    return parse(written);
  } catch (error) {
    throw new ApiError(400, 'BadRequest', String(error));
  }
}
