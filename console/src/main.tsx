import 'tdesign-react/es/_util/react-19-adapter.js';
import 'tdesign-react/es/style/index.css';
import './style.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router/dom';
import { ApiError, UNREACHABLE } from './api/http';
import { router } from './router';
import { Choose } from './text';

/** What was not answered at all is asked for again, a little later each time; an answer, whatever it says, is one. */
function again(count: number, error: Error): boolean {
  return error instanceof ApiError && error.code === UNREACHABLE && count < 5;
}

const client = new QueryClient({ defaultOptions: { queries: { retry: again, refetchOnWindowFocus: false } } });
const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <Choose>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </Choose>
  </StrictMode>,
);
