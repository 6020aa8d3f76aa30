"""From recipes to networks: building, weights, warm starts, model folders."""
