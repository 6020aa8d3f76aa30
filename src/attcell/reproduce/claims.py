"""What the papers claim, as far as the suite of generated videos measures it."""

from __future__ import annotations

from attcell.report.claims import Claim

# The bounds are those of the generated videos' design, not the papers': theirs are on other data.
GENERATED = (
    Claim("frame and flow under one temporal attention tell the class", "STAN, Table II", ("STAN",), (), 97),
    Claim("temporal attention helps on untrimmed video", "STAN, Table II", ("STAN",), ("SAN",), 15),
    Claim(
        "early fusion is above late fusion in STAN", "STAN, Table II", ("STAN",), ("STAN, late fusion",), 12
    ),
    Claim(
        "late fusion is above early fusion in SAN",
        "STAN, Table II",
        ("SAN, late fusion",),
        ("SAN",),
        is_expected=False,
    ),
    Claim("spatial attention is above averaging", "STAN, Table I", ("SAN",), ("averaging",)),
    Claim("two modalities are above one", "STAN, Table IV", ("STAN",), ("STAN, frame", "STAN, flow")),
    Claim(
        "spatial attention on frames lies on the actor", "STAN, Fig. 4", ("peak on the actor, frame",), (), 80
    ),
    Claim(
        "spatial attention on flow lies on the actor", "STAN, Fig. 4", ("peak on the actor, flow",), (), 55
    ),
    Claim("temporal attention lies on the action", "STAN, Fig. 4", ("temporal ROC area",), (), 97),
    *(
        Claim(
            f"{way} of {what} in attention's order is above {rival}",
            "ours",
            (f"{way} of {what}, attention",),
            (f"{way} of {what}, {rival}",),
            is_expected=rival == "random",
        )
        for rival in ("random", "Grad-CAM")
        for what in ("regions", "segments")
        for way in ("deletion", "insertion")
    ),
)
