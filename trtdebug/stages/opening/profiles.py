"""Shapes that the engine has to take, by input: as the user gives them, checked, and completed by the samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from trtdebug.core.case import Profile, Shape
from trtdebug.core.errors import UserError
from trtdebug.graph.inputs import input_types
from trtdebug.graph.shapes import parse_shapes, shape_text
from trtdebug.stages.inputs import Samples


def parse_profiles(
    smallest: Sequence[str], best: Sequence[str], largest: Sequence[str]
) -> dict[str, Profile]:
    """Profiles by input, of NAME:SHAPE texts. Raises `UserError` where one has no smallest or largest shape."""
    low, opt, high = (parse_shapes(texts) for texts in (smallest, best, largest))
    profiles = {}
    for name in {**low, **opt, **high}:
        missing = [flag for flag, s in (("--min-shapes", low), ("--max-shapes", high)) if name not in s]
        if missing:
            raise UserError(
                f"the profile of {name!r} has no {missing[0]}.", "Give the smallest and the largest."
            )
        profile = Profile(low[name], opt.get(name, high[name]), high[name])
        if not _ordered(profile):
            raise UserError(
                f"the profile of {name!r} is not ordered: {profile.min} <= {profile.opt} <= {profile.max}.",
                "Each dimension needs min <= opt <= max.",
            )
        profiles[name] = profile
    return profiles


def _ordered(profile: Profile) -> bool:
    same_rank = len(profile.min) == len(profile.opt) == len(profile.max)
    return same_rank and all(
        a <= b <= c for a, b, c in zip(profile.min, profile.opt, profile.max, strict=True)
    )


def check_profiles(model: onnx.ModelProto, profiles: Mapping[str, Profile]) -> None:
    """Raises `UserError` for a profile of no input, or with a shape that the model does not take."""
    types = input_types(model)
    for name, profile in profiles.items():
        if name not in types:
            raise UserError(
                f"there is a profile for {name!r}, but the model's inputs are {', '.join(map(repr, types))}.",
                "Check --min-shapes, --opt-shapes and --max-shapes.",
            )
        wanted = types[name].shape
        for shape in (profile.min, profile.opt, profile.max):
            if wanted is not None and not _fits(shape, wanted):
                raise UserError(
                    f"the profile of {name!r} holds {shape_text(shape)}, but the model wants {shape_text(wanted)}.",
                    "Only named or unknown (?) dimensions are free.",
                )


def complete_profiles(
    model: onnx.ModelProto, profiles: Mapping[str, Profile], samples: Samples
) -> dict[str, Profile]:
    """The profiles, and one for each other input that has a named dimension of theirs: one name, one size.

    Its other dimensions are those of the samples.

    Raises:
        UserError: two profiles give one named dimension different sizes.
    """
    types = input_types(model)
    bound: dict[int | str | None, tuple[int, int, int]] = {}
    where: dict[str, str] = {}
    for name, profile in profiles.items():
        sizes = zip(profile.min, profile.opt, profile.max, strict=True)
        for dim, given in zip(types[name].shape or (), sizes, strict=False):
            if not isinstance(dim, str):
                continue
            if bound.setdefault(dim, given) != given:
                raise UserError(
                    f"dimension {dim!r} is {shape_text(bound[dim])} (min, opt, max) in the profile of "
                    f"{where[dim]!r} but {shape_text(given)} in that of {name!r}.",
                    "The model uses one name for both, so they have to be equal.",
                )
            where.setdefault(dim, name)
    complete = dict(profiles)
    for name, type_ in types.items():
        if name not in profiles and type_.shape is not None and any(dim in bound for dim in type_.shape):
            seen = zip(*(sample[name].shape for sample in samples), strict=True)
            spans = [
                bound.get(dim) or (min(sizes), sizes[0], max(sizes))
                for dim, sizes in zip(type_.shape, seen, strict=True)
            ]
            low, opt, high = zip(*spans, strict=True)
            complete[name] = Profile(low, opt, high)
    return complete


def _fits(shape: Shape, wanted: Sequence[int | str | None]) -> bool:
    return len(shape) == len(wanted) and all(
        size == dim for size, dim in zip(shape, wanted, strict=True) if isinstance(dim, int)
    )
