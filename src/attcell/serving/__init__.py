"""A model behind HTTP: ``service`` answers programs, ``app`` people. Both keep to the same ``limits``."""
