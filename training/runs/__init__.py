"""One training run of any backbone: plan, recipe, loop, checkpoint and folds; it knows no model by name."""
