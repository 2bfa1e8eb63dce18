"""What happens to sound before a model hears it in training: cuts, distortions and synthesis; it never reads a file."""
