"""Pictures and words of what is kept: pages of HTML with inline SVG, from records; no SQL of its own, no clock and no script."""
