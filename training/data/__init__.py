"""Windows of corpora and what is cached of them."""
