"""The recipe: its sections (``schema``), the whole (``recipe``), and its files (``loading``).

A :class:`Recipe` is frozen plain values; nothing here builds a network or opens a video.
"""

from attcell.config.loading import load_recipe, load_rows, packaged_recipes
from attcell.config.recipe import Recipe, check_recipe

__all__ = ["Recipe", "check_recipe", "load_recipe", "load_rows", "packaged_recipes"]
