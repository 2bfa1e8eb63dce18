"""One module a corpus, each with its `LAYOUT`; adding a corpus is adding a file here, and nothing imports all of them."""
