"""From a trained net to a bundle that serving loads: graph, int8, parity, speech gate, manifest and card; it trains no backbone."""
