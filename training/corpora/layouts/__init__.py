"""One module a corpus, each with its `LAYOUT`, or one module of many that have one form, with its `LAYOUTS`."""
