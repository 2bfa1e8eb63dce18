"""Settings and the queue's shared names; imports no other room."""
