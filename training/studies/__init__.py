"""Experiments on what was trained."""
