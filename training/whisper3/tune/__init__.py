"""Fine-tuning of the encoder's upper layers from cached frames of its lower one; only `training` imports it."""
