"""Writes words.onnx, what the page's runtime does with the weights of the network of words.

    pip install onnx==1.23.2 onnxscript==0.7.2
    python tools/export_words.py

It holds no weights: it says where in words.safetensors each of them is. So it is made again after a
change of the network or of its vocabulary, not after a training. A minute on one core.
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
from projcomp.words import captions

ROWS = 2  # of the example; the graph takes any number


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=assets.GRAPH)
    options = parser.parse_args()
    try:
        data = graph(networks.Vocabulary(captions.words()))
    except ImportError as error:
        sys.exit(f"export_words: {error.name} is not installed; {__doc__.splitlines()[2].strip()}")
    options.to.write_bytes(data)
    print(f"{options.to.name}: {len(data) / 1000:,.0f} kB")


def graph(vocabulary: networks.Vocabulary) -> bytes:
    """The network's computation as ONNX: answer (rows, 3072) of inputs, noise (1,) and tokens."""
    import onnxscript.optimizer
    from onnx import TensorProto, helper

    model = blank_words(vocabulary).eval()
    header = stored_header(model)
    places = {name.removeprefix("network."): at for name, at in json.loads(header).items()}
    del places["__metadata__"]
    program = exported(model, vocabulary)
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


def exported(model, vocabulary: networks.Vocabulary):
    """What torch makes of the network: an ONNXProgram, its weights named as in the file."""
    tokens = vocabulary.encode("").expand(ROWS, -1).contiguous()
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.onnx.export(
            model.network.requires_grad_(False),
            (torch.zeros(ROWS, model.dim), torch.ones(1), tokens),
            dynamo=True,
            optimize=False,
            verbose=False,
            opset_version=20,
            input_names=["inputs", "noise", "tokens"],
            output_names=["answer"],
            dynamic_shapes=({0: rows}, None, {0: rows}),
        )


def stored_header(model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "blank.safetensors")
        networks.save_network(model, path)
        return assets.parts(path.read_bytes())[0]


if __name__ == "__main__":
    main()
