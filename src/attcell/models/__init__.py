"""From recipes to networks.

``build`` makes networks, plans and lists of videos from a recipe; ``weights`` fills networks with published
weights, those of a file or of another model; ``warm_start`` checks a recipe that begins with a trained model;
``folder`` writes and reads a model's files.
"""
