"""What a process tells of itself to whoever watches it: metrics and traces. Numbers and ids in, nothing of a person out."""
