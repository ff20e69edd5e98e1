"""What TensorRT's engine inspector says, in the form of 8.6, of 10 and of 11."""

from __future__ import annotations

import json
from typing import Any

RS, US = "\x1e", "\x1f"  # between metadata entries: fused outside of Myelin, and within


def tensor(name: str, kind: str, key: str = "Format/Datatype") -> dict[str, Any]:
    return {"Name": name, "Location": "Device", "Dimensions": [1, 8], key: kind}


def metadata(*nodes: str, joint: str = RS) -> str:
    return joint.join(f"[ONNX Layer: {n}]" for n in nodes)


def layer(name: str, kind: str, inputs: list[Any], outputs: list[Any], **more: Any) -> dict[str, Any]:
    common = {"Name": name, "LayerType": kind, "Inputs": inputs, "Outputs": outputs}
    return common | {"TacticValue": "0x0000000000000000", "StreamId": 0, "Metadata": ""} | more


FP32, FP16 = "Row major linear FP32", "Row major linear FP16 format"
CHANNELS = "Channel major FP16 format where channel % 8 == 0"

TRT8 = json.dumps(
    {
        "Layers": [
            layer(
                "Reformatting CopyNode for Input Tensor 0 to conv1 + relu1",
                "Reformat",
                [tensor("x", FP32)],
                [tensor("Reformatted Input Tensor 0 to conv1 + relu1", FP16)],
                ParameterType="Reformat",
                Origin="REFORMAT",
                TacticValue="0x00000000000003e8",
            ),
            layer(
                "conv1 + relu1",
                "CaskConvolution",
                [tensor("Reformatted Input Tensor 0 to conv1 + relu1", FP16)],
                [tensor("r", CHANNELS)],
                ParameterType="Convolution",
                Kernel=[3, 3],
                Weights={"Type": "Half", "Count": 576},
                Activation="RELU",
                TacticName="sm90_xmma_fprop_implicit_gemm_f16f16_f16f32_f32",
                TacticValue="0x5b8bf1b8028629d9",
                Metadata=metadata("conv1", "relu1"),
            ),
            layer(
                "{ForeignNode[mean...divide]}",
                "Myelin",
                [tensor("r", FP16)],
                [tensor("y", FP32)],
            ),
        ],
        "Bindings": ["x", "y"],
    }
)
"""conv1 + relu1 in FP16, then mean, square, divide in a block that names only its ends."""

TRT10 = json.dumps(
    {
        "Layers": [
            layer(
                "__myl_MulSumAdd_myl0_1",
                "kgen",
                [tensor("x", "Row major linear FP16")],
                [tensor("__mye92", "Row major linear FP32")],
                TacticName="__myl_MulSumAdd_0x5a",
                Metadata=metadata("square", "mean", joint=US),
            ),
            layer(
                "divide_myl0_2",
                "gemm",
                [tensor("__mye92", "Row major linear FP32"), tensor("x", "Row major linear FP32")],
                [tensor("y", "Row major linear FP32")],
                TacticName="sm80_xmma_gemm_f32f32_f32f32_f32_nn_n",
                Metadata=metadata("divide", joint=US),
            ),
        ],
        "Bindings": ["x", "y"],
    }
)
"""The inside of a Myelin block, kernel by kernel."""

TRT11 = json.dumps(
    {
        "Layers": [
            {
                "Name": "__myl_Fc_0",
                "LayerType": "gemm",
                "Inputs": [tensor("x", "Float", "DataType")],
                "Outputs": [
                    {"Name": "h", "DataType": "Half", "Format": "Row major linear", "Dimensions": [8]}
                ],
                "TacticName": "sm80_xmma_gemm",
                "Metadata": metadata("fc1", "bias", joint=US),
            }
        ],
        "I/O Tensors": [
            {"Name": "x", "IOMode": "Input", "DataType": "Float"},
            {"Name": "y", "IOMode": "Output"},
        ],
    }
)
