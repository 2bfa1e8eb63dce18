"""Audio arithmetic: decode, voice activity, windows; never touches SQL, storage, queues, environment or clock."""
