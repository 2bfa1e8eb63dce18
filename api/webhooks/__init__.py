"""Webhooks: where they may go, what they say, and who sends them."""
