"""Networks that others trained, ready for a video.

``registry`` knows their names, ``kinetics`` holds torchvision's for Kinetics-400, ``hub`` those of
transformers, ``network`` says what one is.
"""
