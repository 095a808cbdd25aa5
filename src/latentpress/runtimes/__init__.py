"""What runs a model's ONNX graphs: a runtime, on a device, in a precision.

running.py           the one interface of a graph that runs: named arrays -> arrays
choice.py            which runtime, device and precision a graph gets, and why
processor.py         what the processor can do
on_native.py         the package's own convolutions, in native/: bytes by VNNI or AMX, or floats
on_native_integers.py   the same of the prior's whole numbers
on_onnxruntime.py    ONNX Runtime, of every installation: float32, and int8 through quantize.py
on_openvino.py       OpenVINO, an extra: bfloat16 on AMX
on_torch.py          torch on CUDA, MPS or the CPU, through torch_graph.py
streaming.py         a graph's form for pictures that come in bands of rows
checkerboard.py      a graph's form at half of the cells of a checkerboard
threads.py           how many threads a graph runs on
onnx_file.py, onnx_writer.py   reading and writing of ONNX files

Only transforms are given a choice. The prior's graphs, which decide the symbols of a file, run
where their integers are exact: on the package's own sums, or on ONNX Runtime in float32 on the CPU
(`choice.choose_prior`). See docs/how-it-works/runtimes.md.
"""

import os

# Before ONNX Runtime is imported: from 1.29 on it tells its makers what runs, under an identifier
# of the machine that it keeps in the cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
