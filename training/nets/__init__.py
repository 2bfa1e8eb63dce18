"""Backbones, encoders, heads and losses."""
