"""What happens to sound before a model hears it in training: cuts, distortions and synthesis."""
