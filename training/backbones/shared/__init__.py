"""Parts that several backbones are built from."""
