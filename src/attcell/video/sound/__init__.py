"""The sound of videos: read beside the frames (``reading``, of a file's ``stream``), as log-mel pictures
(``log_mel``), what a stream of a network gets of it (``source``), and how loud and whole it is (``check``).
"""

from attcell.video.sound.reading import RATE, Sound, SoundReader, read_sound

__all__ = ["RATE", "Sound", "SoundReader", "read_sound"]
