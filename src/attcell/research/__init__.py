"""One driver for all experiments: protocols, ablations, the papers' claims, suites."""
