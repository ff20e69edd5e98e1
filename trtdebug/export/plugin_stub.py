"""Begins a TensorRT plugin for one node of a model: a project that compiles, and that computes nothing yet."""

from __future__ import annotations

import importlib.resources
import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template

import onnx
from onnx import AttributeProto
from polygraphy.json import save_json

from trtdebug.backends.base import BuildRequest, Tensor
from trtdebug.backends.onnxruntime import OnnxruntimeBackend
from trtdebug.core.case import BuildOptions, OperatorSource
from trtdebug.core.errors import BuildFailure, UserError
from trtdebug.graph.custom import custom_kinds, kind_of
from trtdebug.graph.extract import extract
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.inputs import generate
from trtdebug.graph.load import load_model, save_model
from trtdebug.graph.names import name_nodes
from trtdebug.graph.types import tensor_types
from trtdebug.session.files import whole_folder

_TYPES = {
    "float32": "kFLOAT",
    "float16": "kHALF",
    "bool": "kBOOL",
    "int8": "kINT8",
    "uint8": "kUINT8",
    "int32": "kINT32",
    "int64": "kINT32",  # ONNX's parser narrows them before 10, and plugins have no INT64 before 10
}
_FIELDS = {
    AttributeProto.FLOAT: ("float", "kFLOAT32"),
    AttributeProto.FLOATS: ("float", "kFLOAT32"),
    AttributeProto.INT: ("int32_t", "kINT32"),
    AttributeProto.INTS: ("int32_t", "kINT32"),
    AttributeProto.STRING: ("char", "kCHAR"),
}
"""Kind of an attribute -> its type in C++, and what ONNX's parser hands it to a plugin as."""
_OF_PARSER = ("plugin_version", "plugin_namespace")
_LONGEST = 200
"""Characters of an operator in file names: the library's is its name and a little more, and may have 255 bytes."""

_FILES = ("README.md", "CMakeLists.txt", "plugin.cpp", "test_plugin.py")


@dataclass(frozen=True)
class Stub:
    """What was written.

    Attributes:
        recorded: inputs.json holds what the node reads in a run of the model; else random values.
        why_not: why they were not recorded; empty where they were.
    """

    folder: Path
    recorded: bool
    why_not: str = ""


def write_stub(
    model: Path, node: str, folder: Path, operators: tuple[OperatorSource, ...] = (), seed: int = 0
) -> Stub:
    """Writes the project for a node of the top-level graph, at once or not at all.

    Args:
        operators: implementations of custom operators before the node.
        seed: of the model's inputs.

    Raises:
        UserError: no such model or node; the folder is there already; a type is not known.
    """
    if folder.exists():
        raise UserError(f"{folder} is there already.", "Choose another --out.")
    proto = load_model(model)
    name_nodes(proto)
    index = GraphIndex(proto)
    name = index.node(node).name
    types = tensor_types(proto)
    alone = extract(proto, [name], types, index=index)
    try:
        inputs, why_not = _recorded(proto, index, name, alone, operators, seed), ""
    except (BuildFailure, UserError) as error:
        inputs, why_not = generate(alone, seed=seed), error.message
    with whole_folder(folder, "plugin.cpp", "plugin project") as work:
        save_model(alone, work / "node.onnx")
        save_json([inputs], str(work / "inputs.json"))
        for file, text in _texts(alone, not why_not).items():
            (work / file).write_text(text, encoding="utf-8")
    return Stub(folder, not why_not, why_not)


def _recorded(
    model: onnx.ModelProto,
    index: GraphIndex,
    name: str,
    alone: onnx.ModelProto,
    operators: tuple[OperatorSource, ...],
    seed: int,
) -> dict[str, Tensor]:
    """What the node reads on onnxruntime, which computes only what comes before it."""
    wanted = [value.name for value in alone.graph.input]
    feeds: dict[str, Tensor] = dict(generate(model, seed=seed))
    found = {tensor: feeds[tensor] for tensor in wanted if tensor in feeds}
    computed = [tensor for tensor in wanted if tensor not in found]
    if not computed:
        return found
    before = index.ancestors([name])
    part = extract(model, before, tensor_types(model), outputs=computed, index=index)
    read = {value.name for value in part.graph.input}
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "before.onnx"
        save_model(part, path)
        request = BuildRequest(path, BuildOptions(operators=operators), Path(work), outputs=tuple(computed))
        engine = OnnxruntimeBackend().build(request)
        values = engine.run({tensor: value for tensor, value in feeds.items() if tensor in read})
        engine.close()
    return {tensor: found[tensor] if tensor in found else values[tensor] for tensor in wanted}


def _texts(alone: onnx.ModelProto, recorded: bool) -> dict[str, str]:
    """The project's files but the node and its inputs, by name."""
    [node] = alone.graph.node
    custom = kind_of(node) in custom_kinds(alone)
    template = importlib.resources.files("trtdebug.export") / "plugin_stub_files"
    words = _words(alone, node, custom, recorded)
    files = (*_FILES, "reference.py") if custom else _FILES
    return {
        file: Template(template.joinpath(f"{file}.tmpl").read_text(encoding="utf-8")).substitute(words)
        for file in files
    }


def _words(alone: onnx.ModelProto, node: onnx.NodeProto, custom: bool, recorded: bool) -> dict[str, str]:
    domain, op = kind_of(node)
    types = tensor_types(alone)
    read, written = ([t for t in tensors if t] for tensors in (node.input, node.output))
    data_types = [
        f"DataType::{_TYPES.get(types[t].dtype if t in types else '', 'kFLOAT')}" for t in (*read, *written)
    ]
    fields = {
        a.name: _FIELDS[a.type] for a in node.attribute if a.type in _FIELDS and a.name not in _OF_PARSER
    }
    names = {attribute: f"m_{_identifier(attribute)}_{i}" for i, attribute in enumerate(fields)}
    reference = (
        "Write `compute` in `reference.py`: until then nothing can be compared."
        if custom
        else "onnxruntime computes the operator, and is the reference. There is nothing to write."
    )
    return {
        "name": f"{_identifier(op)[:_LONGEST]}Plugin",
        "operator": _plain(f"{domain}::{op}" if domain else op),
        "op_literal": json.dumps(op),
        "domain_literal": json.dumps(domain),
        "op_comment": _plain(op),
        "arguments": ", ".join([f"x{i}" for i in range(len(read))] + ["**attributes"]),
        "output_count": str(len(written)),
        "types": ", ".join(data_types),
        "output_types": ", ".join(data_types[len(read) :]),
        "inputs_told": "recorded from the model"
        if recorded
        else "random values; the model does not run here",
        "reference_todo": reference,
        "operators_option": '"--operators", "reference.py", ' if custom else "",
        "fields": _lines(f"    std::vector<{fields[a][0]}> {names[a]}; // {_plain(a)}" for a in fields),
        "reads": _lines(f"        read(data, {names[a]});" for a in fields),
        "writes": _lines(f"        write(bytes, {names[a]});" for a in fields),
        "creator_fields": ", ".join(
            f"PluginField{{{json.dumps(a)}, nullptr, PluginFieldType::{fields[a][1]}, 0}}" for a in fields
        ),
        "assigns": _lines(
            f"            if (std::strcmp(field.name, {json.dumps(a)}) == 0) assign(plugin->{names[a]}, field);"
            for a in fields
        ),
    }


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _identifier(name: str) -> str:
    """A name in C++ and CMake."""
    return re.sub(r"\W", "_", name, flags=re.ASCII) or "_"


def _plain(name: str) -> str:
    """For comments and texts: nothing that could end one."""
    return re.sub(r"[^\w:.!? -]", "_", name, flags=re.ASCII)
