"""The recipe: its sections (``schema``, ``beside``), the whole (``recipe``), its files (``loading``),
``overrides``, and what rows begin with (``stages``).

A :class:`Recipe` is frozen plain values; nothing here builds a network or opens a video.
"""

from attcell.config.loading import load_recipe, packaged_recipes
from attcell.config.recipe import Recipe, check_recipe, differing_keys
from attcell.config.stages import load_rows

__all__ = ["Recipe", "check_recipe", "differing_keys", "load_recipe", "load_rows", "packaged_recipes"]
