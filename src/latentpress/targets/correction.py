"""Targets at efforts that optimize the latent: the quality is found by plain rounding, then
corrected once or twice afterwards.
"""

import math
from collections.abc import Callable

SIZE_NEAR = 0.98  # an optimized file of this share of the limit is not corrected
SIZE_AIM = 0.99  # a correction aims at this share
CORRECTIONS = 2


def corrected_size(
    write: Callable[[int], list[bytes]],
    plain: list[bytes],
    step: int,
    limit: int,
    *,
    slope: float,
    top: int,
) -> list[bytes]:
    """Optimized files whose bytes sum to at most `limit`: of the steps that were tried, those of
    the highest that fits. Where none fits, the smallest of all, the plain ones among them.

    write: gives the optimized files at a step of the quality grid, 0 to top. plain: the files
    without optimization at `step`. slope: growth of the logarithm of the bytes with a step.
    """
    files_at: dict[int, list[bytes]] = {}
    while step not in files_at and len(files_at) <= CORRECTIONS:
        files_at[step] = write(step)
        size = sum(map(len, files_at[step]))
        if SIZE_NEAR * limit <= size <= limit:
            break
        step = min(max(step + math.floor(math.log(SIZE_AIM * limit / size) / slope), 0), top)
    fitting = [s for s, files in files_at.items() if sum(map(len, files)) <= limit]
    if fitting:
        return files_at[max(fitting)]
    return min(plain, *files_at.values(), key=lambda files: sum(map(len, files)))


def corrected_metric(
    write: Callable[[int], bytes],
    gap: Callable[[bytes], float],
    plain: bytes,
    step: int,
    *,
    slope: float,
    near: int,
    top: int,
) -> bytes:
    """The smallest file that reaches the target, among the plain one and the optimized ones that
    were tried.

    write: gives the optimized file at a step of the quality grid, 0 to top. gap: of a file, how far
    the metric is beyond its target, below 0 where it is not reached; it rises by about `slope` with
    a step. plain: the file without optimization at `step`, which reaches the target. near: the
    correction ends once it would lower the step by less than this; it aims half as far above the
    step at which the target should be reached, whence both ways have room.
    """
    reaching = [plain]
    tried = set[int]()
    while step not in tried and len(tried) <= CORRECTIONS:
        tried.add(step)
        data = write(step)
        excess = gap(data)
        change = round(excess / slope)
        if excess >= 0:
            reaching.append(data)
            if change < near:
                break
        step = min(max(step - change + near // 2, 0), top)
    return min(reaching, key=len)
