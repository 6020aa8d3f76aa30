"""The sound of videos: read beside the frames (``reading``), as log-mel pictures (``log_mel``), and what a
stream gets of it (``source``)."""

from attcell.video.sound.reading import RATE, Sound, SoundReader, read_sound

__all__ = ["RATE", "Sound", "SoundReader", "read_sound"]
