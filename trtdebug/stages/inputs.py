"""Where input samples come from: files by the readers that plugins offer, or generated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from trtdebug.backends.base import Tensor
from trtdebug.core.case import Profile
from trtdebug.core.errors import TrtdebugError, UserError
from trtdebug.core.finding import Finding
from trtdebug.graph.input_files import (
    is_npy_folder,
    is_npz,
    is_polygraphy_json,
    load_npy_folder,
    load_npz,
    load_polygraphy_json,
)
from trtdebug.graph.inputs import check_sample, generate, open_dimensions
from trtdebug.graph.ranges import EVERY_INPUT
from trtdebug.oracle.compare import is_float
from trtdebug.plugins import returned
from trtdebug.plugins.absent import why_absent
from trtdebug.plugins.manager import PluginManager
from trtdebug.plugins.spec import hookimpl
from trtdebug.plugins.types import InputSource

Samples = list[dict[str, Tensor]]


@hookimpl
def trtdebug_inputs() -> Iterable[InputSource]:
    return (
        InputSource("npz", "one .npz: one sample", is_npz, load_npz),
        InputSource("npy", "a folder of .npy, or of such folders", is_npy_folder, load_npy_folder),
        InputSource("polygraphy", "inputs saved by polygraphy", is_polygraphy_json, load_polygraphy_json),
    )


def read_samples(given: Path | Sequence[Path], plugins: PluginManager) -> Samples:
    """The samples of a file or folder, or of several in their order: each by the first reader that knows it.

    Raises:
        UserError: no reader knows it, or it can't be read.
    """
    paths = [given] if isinstance(given, Path) else given
    return [sample for path in paths for sample in _read(path, plugins)]


def _read(path: Path, plugins: PluginManager) -> Samples:
    if not path.exists():
        raise UserError(f"there is no file or folder {path}.", "Check --inputs.")
    for found in plugins.collect("inputs"):
        with plugins.guard(found.provider, f"inputs {found.value.name}", allow=(TrtdebugError,)):
            if found.value.matches(path):
                samples: Samples = returned.samples(found.value.name, found.value.load(path))
                if not samples:
                    raise UserError(f"{path} holds no sample.", "Give at least one.")
                return samples
    known = "; ".join(f"{s.name}: {s.summary}" for s in plugins.inputs().values())
    raise UserError(
        f"{path} holds no inputs that can be read.{why_absent(plugins, 'inputs')}",
        f"What can be read: {known}.",
    )


def check_samples(model: onnx.ModelProto, samples: Samples, profiles: Mapping[str, Profile]) -> None:
    """Raises `UserError` for the first sample that can't be fed to the model as it is."""
    for number, sample in enumerate(samples, 1):
        try:
            check_sample(model, sample, profiles)
        except UserError as error:
            if len(samples) == 1:
                raise
            raise UserError(f"sample {number} of {len(samples)}: {error.message}", error.hint) from error


def generated(
    model: onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]],
    seed: int,
    ranges: Mapping[str, tuple[float, float]],
) -> tuple[Samples, tuple[Finding, ...]]:
    """One random sample, and what was chosen for it.

    That is a finding for each dimension whose size, and each integer or bool input whose range, nobody gave.

    Raises:
        UserError: a shape or a range does not fit the model, or the sample does not fit the memory.
    """
    findings = tuple(
        Finding(
            "input-size-chosen",
            "info",
            f"input {d.input!r}: dimension {d.axis} ({d.name or 'unnamed'}) was set to {d.size}",
            d.input,
            f"Say what you want: --input-shapes {d.input}:[...]",
        )
        for d in open_dimensions(model, shapes)
    )
    try:
        sample = generate(model, shapes=shapes, seed=seed, ranges=ranges)
        return [sample], (*findings, *_made_up(sample, ranges))
    except (MemoryError, ValueError) as error:  # numpy raises both for what is too large
        raise UserError(
            f"inputs of these shapes cannot be made: {error}.", "Check --input-shapes."
        ) from error


def _made_up(sample: Mapping[str, Tensor], ranges: Mapping[str, tuple[float, float]]) -> Iterator[Finding]:
    """A finding for each integer or bool input: their values mean something, and random ones may not."""
    for name, values in sample.items():
        is_bool = values.dtype == np.bool_
        chosen = not is_bool and (name in ranges or EVERY_INPUT in ranges)
        if is_float(values) or chosen or not values.size:
            continue
        low, high = int(values.min()), int(values.max())
        spans = "true and false" if is_bool else f"{low} to {high}"
        made_up = f"random, {spans}" if is_bool or low != high else f"made up, all {low}"
        more = "" if is_bool else f", or a range: --val-range {name}:[LOW,HIGH]"
        yield Finding(
            "input-values-random",
            "info",
            f"input {name!r} was not given: its {values.dtype.name} values are {made_up}",
            name,
            f"Give real ones: --inputs{more}",
        )
