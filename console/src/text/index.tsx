// The language and the colours that the user chose. Only these two are kept in the browser.

import type { ReactNode } from 'react';
import { createContext, useContext, useEffect, useState } from 'react';
import type { Text } from './en';
import { en } from './en';
import { zh } from './zh';

export type Language = 'en' | 'zh';
export type Theme = 'light' | 'dark' | 'system';

/** What can be chosen, in the order in which it is offered; each language by its own name. */
export const LANGUAGES: [Language, string][] = [
  ['en', 'English'],
  ['zh', '中文'],
];
export const THEMES: Theme[] = ['system', 'light', 'dark'];

const TEXTS: Record<Language, Text> = { en, zh };

export interface Choices {
  language: Language;
  setLanguage: (language: Language) => void;
  theme: Theme;
  setTheme: (theme: Theme) => void;
  /** The namespace that lists are about; "" for all that the user may see. */
  namespace: string;
  setNamespace: (namespace: string) => void;
}

const Context = createContext<(Choices & { text: Text }) | null>(null);

export function useChoices(): Choices & { text: Text } {
  const found = useContext(Context);
  if (!found) throw new Error('outside of Choose');
  return found;
}

export const useText = (): Text => useChoices().text;

export function Choose({ children }: { children: ReactNode }): ReactNode {
  const [language, setLanguage] = useKept<Language>(
    'groundplane.language',
    LANGUAGES.map(([each]) => each),
    preferred(),
  );
  const [theme, setTheme] = useKept<Theme>('groundplane.theme', THEMES, 'system');
  const [namespace, setNamespace] = useKept<string>('groundplane.namespace', null, '');
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [language]);
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const apply = (): void => {
      const dark = theme === 'dark' || (theme === 'system' && system.matches);
      document.documentElement.setAttribute('theme-mode', dark ? 'dark' : 'light');
    };
    apply();
    system.addEventListener('change', apply);
    return () => {
      system.removeEventListener('change', apply);
    };
  }, [theme]);
  return (
    <Context value={{ language, setLanguage, theme, setTheme, namespace, setNamespace, text: TEXTS[language] }}>
      {children}
    </Context>
  );
}

function preferred(): Language {
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** A choice that is kept in the browser; `allowed` are those that there are, null when any will do. */
function useKept<T extends string>(key: string, allowed: T[] | null, otherwise: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => {
    const kept = localStorage.getItem(key) as T | null;
    return kept !== null && (allowed === null || allowed.includes(kept)) ? kept : otherwise;
  });
  const keep = (next: T): void => {
    localStorage.setItem(key, next);
    setValue(next);
  };
  return [value, keep];
}
