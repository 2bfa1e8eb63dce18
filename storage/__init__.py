"""Objects: one small protocol over S3, a local folder and an in-memory twin; never touches SQL or the queue."""
