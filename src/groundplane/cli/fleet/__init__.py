"""`groundplane fleet`: every cluster in one matrix. Reading (`wire`), meaning (`rows`), choice (`choose`) and forms."""
