"""What ``attcell data check`` says of the videos' sound: which have none, a silent one, or one that clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attcell.video.sound.check import CLIPPING_SHARE, SILENT_PEAK, SoundLevels

_SILENT_DB = round(SoundLevels(SILENT_PEAK, 0).peak_db or 0)


@dataclass(frozen=True)
class CheckedSound:
    """The sound of the videos that can be read. None of this is a fault: few networks hear it.

    Attributes:
        levels: video id → how loud it is; None for a video without sound.
    """

    levels: Mapping[str, SoundLevels | None]

    @property
    def heard(self) -> dict[str, SoundLevels]:
        """Those that have sound, be it silent."""
        return {id: of for id, of in self.levels.items() if of is not None}

    @property
    def without(self) -> list[str]:
        """Videos that have none."""
        return [id for id, of in self.levels.items() if of is None]

    @property
    def silent(self) -> dict[str, SoundLevels]:
        """Those whose sound is never as loud as ``SILENT_PEAK``."""
        return {id: of for id, of in self.heard.items() if of.is_silent}

    @property
    def clipping(self) -> dict[str, SoundLevels]:
        """Those of whose samples at least ``CLIPPING_SHARE`` are at full scale."""
        return {id: of for id, of in self.heard.items() if of.clips}

    def to_dict(self) -> dict[str, Any]:
        """All of it, in plain types: of silent ones the peak in dB of full scale, null for digital silence;
        of those that clip the share of samples at full scale."""
        return {
            "videos": len(self.heard),
            "without": self.without,
            "silent": {
                id: None if of.peak_db is None else round(of.peak_db, 1) for id, of in self.silent.items()
            },
            "clipping": {id: round(of.at_full_scale, 6) for id, of in self.clipping.items()},
            "notes": {id: list(of.notes) for id, of in self.heard.items() if of.notes},
        }

    def line(self) -> str:
        """One line for all videos."""
        if not self.heard:
            return "  sound: no video has any"
        told = [f"{len(self.heard)} of {len(self.levels)} videos have some"]
        if self.silent:
            told.append(f"{len(self.silent)} of them silent all through")
        if self.clipping:
            told.append(f"{len(self.clipping)} of them clipped")
        return f"  sound: {', '.join(told)}"

    def sections(self) -> list[tuple[str, list[str]]]:
        """Titles, each with its entries, which may be none."""
        silent = [
            f"{id}: {'digital silence' if of.peak_db is None else f'at most {of.peak_db:.0f} dB'}"
            for id, of in self.silent.items()
        ]
        clipping = [f"{id}: {100 * of.at_full_scale:.1f} %" for id, of in self.clipping.items()]
        share = round(1 / CLIPPING_SHARE)
        return [
            ("without sound, beside others that have it", self.without if self.heard else []),
            (f"silent all through (never above {_SILENT_DB} dB of full scale)", silent),
            (f"sound that clips (one sample in {share:,} or more is at full scale)", clipping),
            (
                "notes on the sound",
                [f"{id}: {'; '.join(of.notes)}" for id, of in self.heard.items() if of.notes],
            ),
        ]
