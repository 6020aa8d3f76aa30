"""Networks that others trained, ready for a video: torchvision's for Kinetics-400, and those of transformers.

``registry`` knows their names, ``kinetics`` holds torchvision's, ``network`` says what one is.
"""
