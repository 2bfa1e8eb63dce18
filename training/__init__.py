"""The recipe that makes a bundle from public corpora; no other room imports it and serving never needs it."""
