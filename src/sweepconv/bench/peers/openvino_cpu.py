"""OpenVINO: a compiled model with constant filters in one stream; float32 means float32."""

from __future__ import annotations

import numpy as np
import openvino
from openvino import opset13 as ops

from sweepconv.bench.cases import Array, Case

from .base import Call, Entries, PeerBase

LAST = {3: "NWC", 4: "NHWC", 5: "NDHWC"}
FIRST = {3: "NCW", 4: "NCHW", 5: "NCDHW"}


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        self.core = openvino.Core()
        self.config = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1",
                       "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": str(n_threads),
                       "ENABLE_CPU_PINNING": "NO"}

    def entries(self, case: Case) -> Entries:
        if (case.layer.family, case.direction, case.dtype) != ("conv", "f", "float32"):
            return {}  # it computes in float32 at most, and it trains nothing
        return {"contiguous": lambda: self._compiled(case, False),
                "channels-last": lambda: self._compiled(case, True)}

    def _compiled(self, case: Case, last: bool) -> Call:
        layer = case.layer
        x, w = case.given()
        data = ops.parameter(list(x.shape), np.float32)
        where = (layer.stride, layer.pad, layer.pad, layer.dilation)
        if layer.groups == 1:
            node = ops.convolution(data, ops.constant(w), *where)
        else:
            bank = w.reshape(layer.groups, -1, *w.shape[1:])
            node = ops.group_convolution(data, ops.constant(bank), *where)
        model = openvino.Model([node], [data], "conv")
        if last:
            steps = openvino.preprocess.PrePostProcessor(model)
            for side in (steps.input(), steps.output()):
                side.tensor().set_layout(openvino.Layout(LAST[x.ndim]))
                side.model().set_layout(openvino.Layout(FIRST[x.ndim]))
            model = steps.build()
            x = np.ascontiguousarray(np.moveaxis(x, 1, -1))
        request = self.core.compile_model(model, "CPU", self.config).create_infer_request()
        tensor = openvino.Tensor(x, shared_memory=True)
        request.set_input_tensor(tensor)
        held = (x, tensor, w, model)  # whose memory the request reads

        def result(_: object) -> Array:
            assert held
            y: Array = np.array(request.get_output_tensor().data)
            return np.moveaxis(y, -1, 1) if last else y

        return Call(request.infer, result)
