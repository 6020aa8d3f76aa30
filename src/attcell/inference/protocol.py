"""A test's protocol in words: what made its scores, so that figures of different protocols are told apart."""

from __future__ import annotations

from typing import Any

from attcell.config.recipe import Recipe
from attcell.config.schema import ModelSection
from attcell.data.listing import Listing
from attcell.models.build import input_spec
from attcell.video.modalities import modality
from attcell.video.sampling import ViewPlan


def protocol_of(recipe: Recipe, plan: ViewPlan, listing: Listing, num_unread: int) -> dict[str, Any]:
    """What made the scores of a listing's videos, by name, in plain types."""
    has_pictures = input_spec(recipe).sees_pictures
    return {
        "streams": ", ".join(recipe.model.streams),
        **_network_protocol(recipe),
        "videos": len(listing.records),
        "unread": num_unread,
        **({"missing_left_out": listing.num_left_out} if listing.num_left_out else {}),
        **_precision_protocol(listing),
        "segments": plan.num_segments if plan.every is None else f"one every {plan.every} frames",
        **({"crops": plan.num_crops} if has_pictures else {}),
        **_mirror_protocol(recipe, plan),
        "short_videos": plan.short,
        **_picture_protocol(recipe),
        **_input_protocol(recipe),
        "scores": f"{recipe.score_rule}, averaged over crops" if has_pictures else recipe.score_rule,
    }


def ready_protocol(name: str, looked_at: str, listing: Listing, num_unread: int) -> dict[str, Any]:
    """The same of a ready model; ``looked_at`` says which clips of a video."""
    with_videos = {label for record in listing.records for label in record.labels}
    return {
        "model": name,
        "videos": len(listing.records),
        "unread": num_unread,
        "classes": f"{len(with_videos)} of the model's {len(listing.labels)} have a video",
        **_precision_protocol(listing),
        "looked_at": looked_at,
    }


def run_of(recipe: Recipe, tested: str | None) -> dict[str, Any]:
    """What tells the runs of one table apart; ``tested`` is named where it is not the recipe's own test."""
    data = recipe.data
    dataset = data.dataset if tested is None else ", ".join(filter(None, (data.dataset, tested)))
    return {
        "name": recipe.name or None,
        "dataset": dataset,
        "split": data.split,
        "seed": recipe.train.seed,
    }


def _mirror_protocol(recipe: Recipe, plan: ViewPlan) -> dict[str, str]:
    """What crops in a mirror show, where that is not what they show without."""
    pairs = [f"{one} and {other}" for one, other in recipe.train.flip_pairs.items() if one != other]
    return {"mirrored_crops": f"{', '.join(pairs)} exchanged"} if pairs and plan.num_crops == 10 else {}


def _precision_protocol(listing: Listing) -> dict[str, str]:
    """How average precision is meant, where videos have several classes or none."""
    if not listing.multi_label:
        return {}
    there = len({label for record in listing.records for label in record.labels})
    return {
        "mAP": f"not interpolated, equal scores together, over the {there} of {len(listing.labels)} classes "
        "that have a video"
    }


def _network_protocol(recipe: Recipe) -> dict[str, str]:
    """Which network of branches it is, or else how several streams are joined."""
    section = recipe.model
    if section.kind == "pooled":
        size = f" of {section.vlad_size} × {section.vlad_centres}" if section.pooling == "vlad" else ""
        return {"network": f"{section.pooling}{size}, pooled over regions and segments, linear SVM"}
    if section.kind == "cnn":
        return {"network": "CNN, all segments alike"}
    if section.has_branches:
        kind = "TAN" if section.kind == "tan" else section.kind.replace("_", " ")
        penalty = f" with L2 {recipe.train.gate_penalty:g}" if recipe.train.gate_penalty else ""
        return {"network": f"{kind}{penalty} of {section.cell.upper()}, last step"}
    kind = "averaged regions and segments" if section.kind == "average" else section.kind.upper()
    kind += " with attention by an MLP" if section.attention == "mlp" else ""
    kind += _temporal_words(section)
    fusion = f", {section.fusion} fusion" if len(section.streams) > 1 else ""
    return {"network": f"{kind}{fusion}{', linear SVM' if section.classifier == 'svm' else ''}"}


def _temporal_words(section: ModelSection) -> str:
    """What weights the segments, where it is not the paper's LSTM."""
    if section.temporal == "encoder_decoder":
        direction = "two directions" if section.lstm_bidirectional else "one direction"
        step = ", one step a class" if section.decoder_steps == "classes" else ""
        return f", segments by an encoder-decoder ({direction}, {section.decoder_score}{step})"
    return {
        "lstm": "",
        "attcell": ", segments by an AttCell without LSTM",
        "self_attention": ", segments by self-attention",
    }[section.temporal]


def _picture_protocol(recipe: Recipe) -> dict[str, Any]:
    """How pictures are cut, where a stream looks at any."""
    if not input_spec(recipe).sees_pictures:
        return {}
    spec = recipe.input
    resize = f"{spec.resize} {spec.short_side}" if spec.resize == "short" else "squash"
    return {"resize": resize, "size": spec.size}


def _input_protocol(recipe: Recipe) -> dict[str, str]:
    """How the streams' input is made, where there is something to say of it."""
    spec = input_spec(recipe)
    return {key: words for name in spec.streams for key, words in modality(name).words(spec).items()}
