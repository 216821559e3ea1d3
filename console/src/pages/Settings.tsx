// The reader's own choices, and for administrators how the server is set and how its parts are now.

import type { ReactNode } from 'react';
import { useMemo } from 'react';
import type { ServerCheck, ServerSetting } from '../api/about';
import { useAboutRights, useAboutRightsKnown, useServerChecks, useServerSettings, useVersion } from '../api/about';
import { ApiError } from '../api/http';
import { nameOf } from '../api/resources';
import { Choice, TextField } from '../parts/Form';
import { Code, Loading, Notice, Problem } from '../parts/Notice';
import { Facts, Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import type { Language, Theme } from '../text';
import { LANGUAGES, THEMES, useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Settings(): ReactNode {
  const words = useText().settings;
  const may = useAboutRights();
  const known = useAboutRightsKnown();
  const [checks, settings] = [may('serverchecks'), may('serversettings')];
  return (
    <Page title={words.title}>
      <Own />
      {checks && <Server />}
      {settings && <InForce />}
      {known && !checks && !settings && <p>{words.onlyAdministrators}</p>}
    </Page>
  );
}

function Own(): ReactNode {
  const { text, language, setLanguage, theme, setTheme, namespace, setNamespace } = useChoices();
  const { top } = text;
  return (
    <Panel title={text.settings.own}>
      <div className="filters own">
        <Choice
          label={top.language}
          value={language}
          change={(value) => {
            setLanguage(value as Language);
          }}
          options={LANGUAGES.map(([value, title]) => ({ value, title }))}
        />
        <Choice
          label={top.theme}
          value={theme}
          change={(value) => {
            setTheme(value as Theme);
          }}
          options={THEMES.map((value) => ({ value, title: top[value] }))}
        />
        <TextField
          label={text.columns.namespace}
          help={text.settings.namespaceHelp}
          placeholder={top.allNamespaces}
          value={namespace}
          change={(value) => {
            setNamespace(value.trim());
          }}
        />
      </div>
    </Panel>
  );
}

function Server(): ReactNode {
  const words = useText().settings;
  const { data: version } = useVersion();
  const { data, error } = useServerChecks();
  return (
    <Panel title={words.server}>
      <Facts of={[[words.version, version]]} />
      {error instanceof ApiError && <Problem error={error} what={words.parts} />}
      {!data && !error && <Loading />}
      {data && <Checks of={data} />}
    </Panel>
  );
}

function Checks({ of }: { of: ServerCheck[] }): ReactNode {
  const words = useText().settings;
  return (
    <table className="table plain" aria-label={words.parts}>
      <tbody>
        {of.map((check) => (
          <tr key={nameOf(check)}>
            <th scope="row">{nameOf(check)}</th>
            <td>
              <Status state={check.spec.state} word={words.states[check.spec.state] ?? check.spec.state} />
            </td>
            <td>{check.spec.message}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

type Words = Text['settings'];

function InForce(): ReactNode {
  const words = useText().settings;
  const { data, error } = useServerSettings();
  const columns = useMemo(() => settingColumns(words), [words]);
  const file = data?.find(({ spec }) => spec.file)?.spec.file ?? '';
  return (
    <Panel title={words.inForce}>
      {error instanceof ApiError && <Problem error={error} what={words.inForce} />}
      {!data && !error && <Loading />}
      {data && (
        <>
          <Code text={words.restart(file)} />
          <Table
            label={words.inForce}
            rows={data}
            rowKey={nameOf}
            columns={columns}
            empty={<Notice title={words.none} />}
            exportName="settings"
            kept
          />
        </>
      )}
    </Panel>
  );
}

function settingColumns(words: Words): Column<ServerSetting>[] {
  const value = ({ spec }: ServerSetting): string => (spec.secret && spec.value ? words.isSet : spec.value);
  const meaning = (row: ServerSetting): string => words.meanings[nameOf(row)] ?? '';
  const origin = ({ spec }: ServerSetting): string => words.origins[spec.origin] ?? spec.origin;
  return [
    { key: 'setting', title: words.setting, value: nameOf, cell: (row) => <code>{nameOf(row)}</code> },
    {
      key: 'value',
      title: words.value,
      value: (row) => (row.spec.differs ? `${value(row)} (${words.differs})` : value(row)),
      cell: (row) => <Shown value={value(row)} differs={row.spec.differs ? words.differs : ''} />,
    },
    {
      key: 'usual',
      title: words.usual,
      value: ({ spec }) => spec.default,
      cell: ({ spec }) => <Shown value={spec.default} />,
    },
    { key: 'origin', title: words.origin, value: origin },
    {
      key: 'meaning',
      title: words.meaning,
      value: meaning,
      cell: (row) => <span className="wrapped">{meaning(row)}</span>,
      wide: true,
    },
    { key: 'change', title: words.change, value: ({ spec }) => placeOf(spec, words), wide: true },
  ];
}

function Shown({ value, differs = '' }: { value: string; differs?: string }): ReactNode {
  const none = useText().state.none;
  return (
    <>
      <code className="wrapped">{value || none}</code>
      {differs && (
        <>
          <br />
          <Status state="Pending" word={differs} />
        </>
      )}
    </>
  );
}

/** Where somebody would change it. */
export function placeOf({ variable, flag, file }: ServerSetting['spec'], words: Words): string {
  if (variable === undefined) return file ?? '';
  return flag === undefined ? variable : words.variableOrFlag(variable, flag);
}
