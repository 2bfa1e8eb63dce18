"""An experiment: what non-speech does to the scores of long voice notes."""
