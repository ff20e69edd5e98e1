"""Autotuning tables as TensorRT's verbose build log prints them, one text a form; and any tables as such a text."""

from __future__ import annotations

from trtdebug.backends.tensorrt.autotuned import AutotunedOp

US = "\x1f"
KEY_A, KEY_B = "0x" + "0a" * 16, "0x" + "0b" * 16
HEADER = (
    "tactic_id, cost(in ms), cost/fastest_cost, prediction_correlation, "
    "kernel_name, tactic_hash, tunable_parameter"
)

EDITABLE = f"""\
[I] [TRT] Global timing cache in use. Profiling results in this builder pass will be stored.
[V] [TRT] Autotuning op fc1(key: {KEY_A}): [ONNX Layer: fc1]{US}[ONNX Layer: relu1]
[V] [TRT] Sorted table of all evaluated tactics:
[V] [TRT] {HEADER}
[V] [TRT]    3, 0.0100000, 1.00000, 0.50673, gemm_tf32_32x32, 0x665ded9abbf88,
[V] [TRT]   12, 0.0125000, 1.25000, 0.51157, gemm_f32_64x32, 0x93e4ef8ad243,
[V] [TRT]    6, 0.0200000, 2.00000, 0.50600, gemm_f32_64x64, 0x2ad3a182fb05c,
[V] [TRT] The selected tactic is (tactic hash, cost(in ms)):0x665ded9abbf88,  0.01
[V] [TRT] Writing the best tactic (0x665ded9abbf88) to cache
[V] [TRT] Autotuning op fc2(key: {KEY_B}):
[V] [TRT] Sorted table of all evaluated tactics:
[V] [TRT] {HEADER}
[V] [TRT]    0, 0.0300000, 1.00000, 0.90000, gemm_f32_64x32, 0x1,
[V] [TRT] The selected tactic is (tactic hash, cost(in ms)):0x1, 0.03
"""
"""Of an editable timing cache (10.8 and later): keys, nodes where metadata is told, and choices."""

FOREIGN = f"""\
[07/07/2026-06:12:17] [TRT] [V]  (foreignNode) Set user's cuda kernel library
[07/07/2026-06:12:17] [TRT] [V]  (foreignNode) Autotuning op fc1: [ONNX Layer: fc1]{US}[ONNX Layer: relu1]
[07/07/2026-06:12:17] [TRT] [V]  (foreignNode) Sorted table of all evaluated tactics:
[07/07/2026-06:12:17] [TRT] [V]  (foreignNode) {HEADER}, conv_w2c_input_fold
[07/07/2026-06:12:17] [TRT] [V]  (foreignNode)   30, 0.0051360, 1.00000, 5986.98955, conv_a, 0x49175fa8b00a3, , 0
[07/07/2026-06:12:17] [TRT] [V]  (foreignNode)    7, 0.0052448, 1.02118, 1.69915, conv_b, 0x513f502151b20, , 1
[07/07/2026-06:12:18] [TRT] [V]  (foreignNode) Compiling kernels
"""
"""Without that cache (10 and 11): no key, and no choice."""

RUNNERS = """\
[V] [TRT] =============== Computing costs for conv1 + relu1
[V] [TRT] *************** Autotuning format combination: Float(784,784,28,1) -> Half(6272,784:8,28,1) ***************
[V] [TRT] --------------- Timing Runner: conv1 + relu1 (CaskConvolution[0x80000009])
[V] [TRT] Tactic Name: sm90_fprop_a Tactic: 0x967f94e9db2001a8 Time: 0.00641429
[V] [TRT] Tactic Name: sm90_fprop_b Tactic: 0x0a143be7a52f301a Time: 0.00557795
[V] [TRT] conv1 + relu1 (CaskConvolution[0x80000009]) profiling completed in 0.14 seconds. Fastest Tactic: \
0x0a143be7a52f301a Time: 0.00557795
[V] [TRT] --------------- Timing Runner: conv1 + relu1 (CudnnConvolution[0x80000000])
[V] [TRT] Tactic: 0x0000000000000002 Time: 0.0241
[V] [TRT] Skipping CaskFlattenConvolution: No valid tactics for conv1 + relu1
[V] [TRT] >>>>>>>>>>>>>>> Chose Runner Type: CaskConvolution Tactic: 0x0a143be7a52f301a
[V] [TRT] *************** Autotuning format combination: Half(784,784,28,1) -> Half(6272,784:8,28,1) ***************
[V] [TRT] --------------- Timing Runner: conv1 + relu1 (CaskConvolution[0x80000009])
[V] [TRT] CaskConvolution has no valid tactics for this config, skipping
[V] [TRT] *************** Autotuning Reformat: Float(784,784,28,1) -> Half(6272,784:8,28,1) ***************
[V] [TRT] --------------- Timing Runner: Optimizer Reformat(x -> <out>) (Reformat[0x80000006])
[V] [TRT] Tactic: 0x00000000000003e8 Time: 0.0021
[V] [TRT] Tactic: 0x0000000000000000 Time: inf
[V] [TRT] Optimizer Reformat(x -> <out>) (Reformat[0x80000006]) profiling completed in 0.01 seconds. Fastest Tactic: \
0x00000000000003e8 Time: 0.0021
[V] [TRT] conv1 + relu1 [profile 1] [Float(784,784,28,1) -> Half(6272,784:8,28,1)] got cached result: \
CaskConvolution, tactic 0x0a143be7a52f301a, 0.00557795 ms
"""
"""Of runners (8.6 to 10; in 11 of what Myelin does not compile)."""

RTX = """\
[VERBOSE] =============== Computing costs for {ForeignNode[head.bias...logits]}
[VERBOSE] *************** Autotuning format combination: Float(64,1) -> Float(16,1) {key: None} ***************
[VERBOSE] --------------- Timing Runner: {ForeignNode[head.bias...logits]} (Myelin[0x80000023])
[VERBOSE] >>>>>>>>>>>>>>> Chose Runner Type: Myelin Tactic: 0x0000000000000000
"""
"""What TensorRT-RTX 1.7.1 prints where the timing cache is to be editable: it autotunes nothing when it builds."""


def render(op: AutotunedOp) -> str:
    """An op as the log prints it."""
    return _runners(op) if op.formats else _table(op)


def _table(op: AutotunedOp) -> str:
    key = f"(key: {op.key})" if op.key else ""
    nodes = US.join(f"[ONNX Layer: {node}]" for node in op.nodes)
    lines = [f"Autotuning op {op.name}{key}: {nodes}", "Sorted table of all evaluated tactics:", HEADER]
    fastest = op.candidates[0].cost_ms or 0.0 if op.candidates else 0.0
    for number, one in enumerate(op.candidates):
        ratio = (one.cost_ms or 0.0) / fastest
        lines.append(f"{number:4}, {one.cost_ms:.7f}, {ratio:.5f}, 0.9, {one.kernel}, {one.tactic},")
    if op.selected is not None:
        lines.append(f"The selected tactic is (tactic hash, cost(in ms)):{op.selected}, 0.01")
    return "\n".join(f"[V] [TRT] {line}" for line in lines) + "\n"


def _runners(op: AutotunedOp) -> str:
    key = f" {{key: {op.key}}}" if op.key else ""
    lines = [f"*************** Autotuning format combination: {op.formats}{key} ***************"]
    timed: tuple[str, int | None] | None = None
    for one in op.candidates:
        if timed != (one.runner, one.implementation):
            timed = one.runner, one.implementation
            number = f"[{one.implementation:#x}]" if one.implementation is not None else ""
            lines.append(f"--------------- Timing Runner: {op.name} ({one.runner}{number})")
        name = f"Tactic Name: {one.kernel} " if one.kernel else ""
        cost = "inf" if one.cost_ms is None else repr(one.cost_ms)
        lines.append(f"{name}Tactic: {int(one.tactic, 16):#018x} Time: {cost}")
    lines.append(
        f">>>>>>>>>>>>>>> Chose Runner Type: {op.runner} Tactic: {int(op.selected or '0', 16):#018x}"
    )
    return "\n".join(f"[V] [TRT] {line}" for line in lines) + "\n"
