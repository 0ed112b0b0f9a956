"""The indoor filter's network in ONNX Runtime, an optional library."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from filters.indoor_engines import BATCH, Run, network_input
from filters.indoor_pictures import CROP_PX

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torchvision.models import ResNet


def open_onnx(network: ResNet, *, int8: bool) -> Run:
    """Exports a network and opens a session that computes with one thread.

    Args:
        network: With batch normalisation folded in.
        int8: Whether weights and maps are brought to 8 bits; the scale of the maps is found anew
            for every picture's batch.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory(prefix="terrapair-onnx-") as folder:
        path = Path(folder) / "network.onnx"
        some = torch.zeros(BATCH, 3, CROP_PX, CROP_PX)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own, about its insides
            torch.onnx.export(
                network, (some,), path, input_names=["pictures"], output_names=["classes"],
                dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
        if int8:
            exact, path = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
            model = onnx.load(Path(folder) / "network.onnx")
            del model.graph.value_info[:]  # the exporter's notes on shapes contradict the quantiser
            onnx.save(model, exact)
            quantize_dynamic(
                exact, path, op_types_to_quantize=["Conv"], per_channel=True,
                weight_type=QuantType.QUInt8,
            )  # fmt: skip
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )

    def run(pictures: NDArray[np.uint8]) -> torch.Tensor:
        given = network_input(pictures).contiguous().numpy()
        (found,) = session.run(["classes"], {"pictures": given})
        return torch.from_numpy(found)

    return run
