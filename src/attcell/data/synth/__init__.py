"""Generated videos with known truth: what happens, where the actor is, and when the action takes place.

A class is an appearance × a motion, so that neither decides alone. Import from the modules:
``classes`` (what a class is), ``scene`` (a seed → the plan of a video), ``render`` (the plan → frames and
boxes), ``write`` (a whole set on disk) and ``truth`` (reading it back).
"""
