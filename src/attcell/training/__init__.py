"""Training: prepare, fit, finish."""
