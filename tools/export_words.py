"""Writes words.onnx and judge.onnx: what the page's runtime does with the weights of the networks.

    pip install onnx==1.23.2 onnxscript==0.7.2
    python tools/export_words.py

They hold no weights: they say where in words.safetensors and judge.safetensors each of them is. So
they are made again after a change of a network or of the vocabulary, not after a training. A minute
on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from projcomp import networks
from projcomp.networks.words import blank_words
from projcomp.widgets import assets
from projcomp.words import Judge, captions

ROWS = 2  # of the example; the graph takes any number


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    try:
        found = {assets.WORDS: drawer(), assets.JUDGE: judge()}
    except ImportError as error:
        sys.exit(f"export_words: {error.name} is not installed; {__doc__.splitlines()[2].strip()}")
    for stored, data in found.items():
        path = assets.graph_of(stored)
        path.write_bytes(data)
        print(f"{path.name}: {len(data) / 1000:,.0f} kB")


def drawer() -> bytes:
    """answer (rows, 3072) of inputs (rows, 3072), noise (1,) and tokens (rows, length)."""
    vocabulary = networks.Vocabulary(captions.words())
    model = blank_words(vocabulary)
    tokens = vocabulary.encode("").expand(ROWS, -1).contiguous()
    named = {"inputs": torch.zeros(ROWS, model.dim), "noise": torch.ones(1), "tokens": tokens}
    return graph(model, model.network, named, ["answer"], "network.")


def judge() -> bytes:
    """places (rows, 4, 14) and whole (rows, 9) of pictures (rows, 3, 32, 32)."""
    model = Judge()
    return graph(model, model, {"pictures": torch.zeros(ROWS, 3, 32, 32)}, ["places", "whole"])


def graph(model, network, named: dict, answers: list[str], prefix: str = "") -> bytes:
    """A network, part of a stored model, as ONNX without weights.

    named: its inputs; those with ROWS rows may have any number. prefix: what the names of its
    weights have in the file before those that they have in the network.
    """
    import onnxscript.optimizer
    from onnx import TensorProto, helper

    header = stored_header(model)
    places = {name.removeprefix(prefix): at for name, at in json.loads(header).items()}
    del places["__metadata__"]
    program = exported(network.eval().requires_grad_(False), named, answers)
    inner = program.model.graph
    for name in places:  # as inputs they are left as they are
        weight = inner.initializers.pop(name)
        weight.const_value = None
        inner.inputs.append(weight)
    onnxscript.optimizer.optimize(program.model)
    found = program.model_proto
    del found.metadata_props[:], found.graph.metadata_props[:], found.graph.value_info[:]
    casts, inputs = [], []
    for value in found.graph.input:
        if value.name not in places:
            inputs.append(value)
            continue
        start, end = places[value.name]["data_offsets"]
        half = found.graph.initializer.add(
            name=f"{value.name}.half",
            data_type=TensorProto.FLOAT16,
            dims=places[value.name]["shape"],
            data_location=TensorProto.EXTERNAL,
        )
        for key, at in (("location", assets.WEIGHTS), ("offset", start), ("length", end - start)):
            half.external_data.add(key=key, value=str(at))
        casts.append(helper.make_node("Cast", [half.name], [value.name], to=TensorProto.FLOAT))
    nodes = [*casts, *found.graph.node]
    for node in nodes:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    del found.graph.input[:], found.graph.node[:]
    found.graph.input.extend(inputs)
    found.graph.node.extend(nodes)
    found.metadata_props.add(key="layout", value=assets.layout(header))
    return found.SerializeToString(deterministic=True)


def exported(network, named: dict, answers: list[str]):
    """What torch makes of a network: an ONNXProgram, its weights named as in the network."""
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.onnx.export(
            network,
            tuple(named.values()),
            dynamo=True,
            optimize=False,
            verbose=False,
            opset_version=20,
            input_names=list(named),
            output_names=answers,
            dynamic_shapes=tuple({0: rows} if len(x) == ROWS else None for x in named.values()),
        )


def stored_header(model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "blank.safetensors")
        networks.save_network(model, path)
        return assets.parts(path.read_bytes())[0]


if __name__ == "__main__":
    main()
