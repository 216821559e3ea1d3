// Which address shows which page. Everything but signing in and the overview is loaded when it is first looked at.

import type { ComponentType, ReactNode } from 'react';
import { Link, createBrowserRouter } from 'react-router';
import { useSession } from './api/session';
import { Overview } from './pages/Overview';
import { SignIn } from './pages/SignIn';
import { Loading, Notice } from './parts/Notice';
import { Page } from './parts/Page';
import { Shell } from './parts/Shell';
import { useText } from './text';

function Root(): ReactNode {
  const session = useSession();
  if (session === undefined) return <Loading />;
  return session ? <Shell session={session} /> : <SignIn />;
}

function NotFound(): ReactNode {
  const text = useText();
  return (
    <Page title={text.notFound}>
      <p>
        <Link to="/">{text.home}</Link>
      </p>
    </Page>
  );
}

function Broken(): ReactNode {
  return <Notice title={useText().broken} />;
}

const ATTEMPTS = 3;
const BETWEEN = 500;

/** A page that is loaded when it is first looked at; a network that changes meanwhile, as laptops' do, costs another attempt. */
function page<K extends string>(load: () => Promise<Record<K, ComponentType>>, name: K) {
  return async (): Promise<{ Component: ComponentType }> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return { Component: (await load())[name] };
      } catch (error) {
        if (!(error instanceof TypeError) || attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, BETWEEN));
      }
    }
  };
}

export const router = createBrowserRouter(
  [
    {
      element: <Root />,
      errorElement: <Broken />,
      hydrateFallbackElement: <Loading />,
      children: [
        { index: true, element: <Overview /> },
        { path: 'clusters', lazy: page(() => import('./pages/Clusters'), 'Clusters') },
        { path: 'clusters/import', lazy: page(() => import('./pages/ImportCluster'), 'ImportCluster') },
        { path: 'clusters/new', lazy: page(() => import('./pages/CreateCluster'), 'CreateCluster') },
        {
          path: 'clusters/:namespace/:name/nodes/:node',
          lazy: page(() => import('./pages/NodePage'), 'NodePage'),
        },
        { path: 'clusters/:namespace/:name/:tab?', lazy: page(() => import('./pages/ClusterPage'), 'ClusterPage') },
        {
          path: 'clusters/:namespace/:name/resources/:group/:version/:plural',
          lazy: page(() => import('./pages/ClusterPage'), 'ClusterPage'),
        },
        {
          path: 'clusters/:namespace/:name/resources/:group/:version/:plural/:inside/:object/:part?',
          lazy: page(() => import('./pages/ResourcePage'), 'ResourcePage'),
        },
        { path: 'machines', lazy: page(() => import('./pages/Machines'), 'Machines') },
        { path: 'machines/new', lazy: page(() => import('./pages/AddMachines'), 'AddMachines') },
        {
          path: 'machines/:namespace/:name/terminal',
          lazy: page(() => import('./pages/MachineTerminal'), 'MachineTerminal'),
        },
        { path: 'machines/:namespace/:name', lazy: page(() => import('./pages/MachinePage'), 'MachinePage') },
        { path: 'foundations', lazy: page(() => import('./pages/Foundations'), 'Foundations') },
        { path: 'foundations/new', lazy: page(() => import('./pages/EditFoundation'), 'NewFoundation') },
        {
          path: 'foundations/:namespace/:name/edit',
          lazy: page(() => import('./pages/EditFoundation'), 'EditFoundation'),
        },
        { path: 'distributions', lazy: page(() => import('./pages/Distributions'), 'Distributions') },
        {
          path: 'distributions/:namespace/:name',
          lazy: page(() => import('./pages/Distributions'), 'DistributionPage'),
        },
        { path: 'foundations/:namespace/:name', lazy: page(() => import('./pages/FoundationPage'), 'FoundationPage') },
        { path: 'operations', lazy: page(() => import('./pages/Operations'), 'Operations') },
        { path: 'operations/:namespace/:name', lazy: page(() => import('./pages/OperationPage'), 'OperationPage') },
        { path: 'objects', lazy: page(() => import('./pages/Resources'), 'OwnObjects') },
        { path: 'objects/:group/:version/:plural', lazy: page(() => import('./pages/Resources'), 'OwnObjects') },
        {
          path: 'objects/:group/:version/:plural/:inside/:object/:part?',
          lazy: page(() => import('./pages/ResourcePage'), 'ResourcePage'),
        },
        { path: 'accounts/:tab?', lazy: page(() => import('./pages/Accounts'), 'Accounts') },
        { path: 'accounts/users/new', lazy: page(() => import('./pages/AddUser'), 'AddUser') },
        { path: 'accounts/tokens/new', lazy: page(() => import('./pages/CreateToken'), 'CreateToken') },
        { path: 'audit', lazy: page(() => import('./pages/Audit'), 'Audit') },
        { path: 'catalog/:table?', lazy: page(() => import('./pages/Catalog'), 'Catalog') },
        { path: 'settings', lazy: page(() => import('./pages/Settings'), 'Settings') },
        { path: '*', element: <NotFound /> },
      ],
    },
  ],
  { basename: '/console' },
);
