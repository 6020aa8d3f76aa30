"""The command line: ``app`` puts the commands together, and a file a group holds them.

A command reads its options into one dataclass and calls one function. Heavy libraries are imported inside
commands, so that ``--help`` answers at once.
"""
