"""From a folder of one's own videos to a model: candidates, cross-validation, the best one, its test."""
