"""The kinds: types, defaults, validation, CRDs. Imports base only; pure."""
