// What the fields of a kind are, as the API that serves it says: its OpenAPI document, version 3, or 2 where an older
// Kubernetes serves no other.

import { ApiError, json } from './http';
import type { Obj } from './resources';

export interface Schema {
  $ref?: string;
  allOf?: Schema[];
  type?: string;
  description?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

export interface Kinds {
  /** The schema of the object as a whole. */
  root: Schema;
  all: Record<string, Schema>;
}

interface Index {
  paths: Record<string, { serverRelativeURL: string }>;
}

interface Document {
  components?: { schemas?: Record<string, Schema> };
  definitions?: Record<string, Schema>;
}

/** The schemas of an object's kind; null when its API does not describe it. `base` is in front of the API's paths. */
export async function schemaOf(base: string, { apiVersion = '', kind = '' }: Obj): Promise<Kinds | null> {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  const document = await documentOf(base, group ? `apis/${group}/${version}` : `api/${version}`);
  const all = document?.components?.schemas ?? document?.definitions ?? {};
  const root = Object.values(all).find((schema) =>
    schema['x-kubernetes-group-version-kind']?.some(
      (one) => one.group === group && one.version === version && one.kind === kind,
    ),
  );
  return root ? { root, all } : null;
}

async function documentOf(base: string, path: string): Promise<Document | null> {
  const index = await found<Index>(`${base}/openapi/v3`);
  // Kubernetes before 1.24 has version 2 only, in one document for all groups.
  if (!index) return await found<Document>(`${base}/openapi/v2`);
  const entry = index.paths[path];
  return entry ? await found<Document>(`${base}${entry.serverRelativeURL}`) : null;
}

async function found<T>(path: string): Promise<T | null> {
  try {
    return await json<T>(path);
  } catch (error) {
    if (error instanceof ApiError && (error.code === 404 || error.code === 403)) return null;
    throw error;
  }
}

/** The schema at a path of an object; a list's elements have the path of the list. Null where nothing is known. */
export function schemaAt({ root, all }: Kinds, path: string[]): Schema | null {
  let at: Schema | null = resolved(root, all);
  for (const key of path) {
    const inside: Schema = elementOf(at, all);
    const below: Schema | boolean | undefined = inside.properties?.[key] ?? inside.additionalProperties;
    if (below === undefined || typeof below === 'boolean') return null;
    at = resolved(below, all);
  }
  return elementOf(at, all);
}

function elementOf(schema: Schema, all: Record<string, Schema>): Schema {
  return schema.items ? elementOf(resolved(schema.items, all), all) : schema;
}

/** A schema without references; what stands beside one, such as its description, wins. */
function resolved(schema: Schema, all: Record<string, Schema>): Schema {
  const name = schema.$ref?.split('/').pop();
  const parts = [...(name === undefined ? [] : [all[name] ?? {}]), ...(schema.allOf ?? [])];
  if (parts.length === 0) return schema;
  const merged: Schema = Object.assign({}, ...parts.map((part) => resolved(part, all))) as Schema;
  return schema.description === undefined ? merged : { ...merged, description: schema.description };
}

/** Where a position in YAML is: the keys that lead there, and the key whose value is written, if one is. */
export interface Place {
  path: string[];
  key: string | null;
}

const LINE = /^(\s*(?:- +)*)(?:([\w./-]+):(?:\s|$))?/;

/** The place of the end of the last line of `before`, what stands before the cursor. */
export function placeIn(before: string): Place {
  const lines = before.split('\n');
  const last = lines.pop() ?? '';
  const [, indent = '', key] = LINE.exec(last) ?? [];
  const path: string[] = [];
  let width = indent.length;
  for (const line of lines.reverse()) {
    if (!line.trim() || line.trim().startsWith('#')) continue;
    const [, above = '', name] = LINE.exec(line) ?? [];
    if (name === undefined || above.length >= width) continue;
    path.unshift(name);
    // The dash of a list may stand right below the list's key.
    width = above.includes('-') ? above.indexOf('-') + 1 : above.length;
    if (width === 0) break;
  }
  return { path, key: key ?? null };
}
