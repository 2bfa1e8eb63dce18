"""One module per group of `tonalog` commands; each imports its rooms only when it runs."""
