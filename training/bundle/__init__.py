"""From nets to a bundle: graph, int8, gate, manifest and card."""
