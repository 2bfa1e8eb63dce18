"""Scoring: bundle, scorer, pooling, trend and the pipeline that joins them; never touches SQL, storage or queues."""
