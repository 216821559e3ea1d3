// What people ask of an object: an annotation with a new value, which its controller answers.

import { json } from './http';

/** Ask; `words` stand before the moment that makes each request another one. */
export async function ask(path: string, annotation: string, words = ''): Promise<void> {
  const now = new Date().toISOString();
  const annotations = { [`groundplane.dev/${annotation}`]: words ? `${words}@${now}` : now };
  await merge(path, { metadata: { annotations } });
}

/** Merge into an object. */
export async function merge(path: string, body: object): Promise<void> {
  await json(path, { method: 'PATCH', contentType: 'application/merge-patch+json', body });
}
