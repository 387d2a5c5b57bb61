"""ONNX Runtime: one Conv node with constant filters, bound to arrays that stay where they are."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from sweepconv.bench.cases import Case

from .base import Call, Entries, PeerBase

OPSET = 17


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = n_threads
        self.options.inter_op_num_threads = 1
        self.options.log_severity_level = 4
        self.options.add_session_config_entry("session.intra_op.spin_duration_us", "200")

    def entries(self, case: Case) -> Entries:
        if (case.layer.family, case.direction, case.dtype) != ("conv", "f", "float32"):
            return {}  # its Conv has no float64, and it trains nothing
        return {"session": lambda: self._session(case)}

    def _session(self, case: Case) -> Call:
        layer = case.layer
        x, w = case.given()
        node = helper.make_node(
            "Conv", ["x", "w"], ["y"], kernel_shape=layer.kernel, strides=layer.stride,
            pads=(*layer.pad, *layer.pad), dilations=layer.dilation, group=layer.groups)
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                  for name, shape in (("x", layer.x_shape), ("y", layer.y_shape))]
        graph = helper.make_graph([node], "conv", values[:1], values[1:],
                                  [numpy_helper.from_array(w, "w")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), self.options,
                                               providers=["CPUExecutionProvider"])
        given = onnxruntime.OrtValue.ortvalue_from_numpy(x)
        made = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(layer.y_shape, np.float32))
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", given)
        binding.bind_ortvalue_output("y", made)
        return Call(lambda: session.run_with_iobinding(binding), lambda _: made.numpy())
