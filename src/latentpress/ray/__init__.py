"""Pictures on many machines, with Ray (docs/guide/clusters.md).

`Compress`, `Decompress` and `EncodeLatents` are callable classes for
`ray.data.Dataset.map_batches`: a worker makes one of them, which keeps its model. `RayEngine` does
the work of a run over folders and object stores in place of this machine's threads; the commands
take it with `--engine ray`.

>>> import ray.data  # doctest: +SKIP
>>> from latentpress.ray import Compress
>>> pictures = ray.data.read_binary_files("s3://bucket/photos")  # doctest: +SKIP
>>> pictures.map_batches(Compress, batch_size=16, concurrency=8)  # doctest: +SKIP
"""

from latentpress.ray.compress import Compress
from latentpress.ray.decompress import Decompress
from latentpress.ray.encode_latents import EncodeLatents
from latentpress.ray.engine import RayEngine

__all__ = ["Compress", "Decompress", "EncodeLatents", "RayEngine"]
