"""Recordings of the tactics of a build, in the format of Polygraphy's tactic replays (`--save-tactics`).

`polygraphy inspect diff-tactics` and `--load-tactics` read what is written here, and here is read what they write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtdebug.backends.tensorrt.tactics import Choice, TensorFormat
from trtdebug.core.errors import UserError

TACTICS_FILE = "tactics.json"
"""Lies beside the trial's engine.json, where the trial's build was made with an algorithm selector."""

_CLASS = "polygraphy_class"


def write_replay(path: Path, tactics: Mapping[str, Choice]) -> None:
    """Writes a recording: by engine layer its tactic."""
    replay = {layer: _algorithm(choice) for layer, choice in tactics.items()}
    text = json.dumps({"replay": replay, _CLASS: "TacticReplayData"}, indent=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read_replay(path: Path) -> dict[str, Choice]:
    """The recording in a file: by engine layer its tactic.

    Raises:
        UserError: there is no such file, or it is no tactic replay.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(layer): _choice(told) for layer, told in content["replay"].items()}
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.", "Check the path.") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is no tactic replay ({type(error).__name__}: {error}).",
            f"Give what polygraphy wrote with --save-tactics, or a trial's {TACTICS_FILE}.",
        ) from error


def _algorithm(choice: Choice) -> dict[str, Any]:
    return {
        "implementation": choice.implementation,
        "tactic": choice.tactic,
        "inputs": [_tensor(told) for told in choice.inputs],
        "outputs": [_tensor(told) for told in choice.outputs],
        _CLASS: "Algorithm",
    }


def _tensor(told: TensorFormat) -> dict[str, Any]:
    return {
        "dtype": f"DataType.{told.dtype}",
        "strides": list(told.strides),
        "vectorized_dim": told.vectorized_dim,
        "components_per_element": told.components,
        _CLASS: "TensorInfo",
    }


def _choice(told: Mapping[str, Any]) -> Choice:
    inputs, outputs = (tuple(_format(t) for t in told[side]) for side in ("inputs", "outputs"))
    return Choice(int(told["implementation"]), int(told["tactic"]), inputs, outputs)


def _format(told: Mapping[str, Any]) -> TensorFormat:
    return TensorFormat(
        str(told["dtype"]).rpartition(".")[2],
        tuple(int(stride) for stride in told["strides"]),
        int(told["vectorized_dim"]),
        int(told["components_per_element"]),
    )
