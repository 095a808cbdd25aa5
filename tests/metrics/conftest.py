"""What several tests of learned metrics begin with."""

from typing import Any

import pytest

from helpers.metric_weights import made_dists, made_params, old_pickle


@pytest.fixture(scope="session")
def made() -> Any:
    """Made weights, as the published files would hold them."""
    return {
        "alex": old_pickle(made_params("alex")),
        "vgg": old_pickle(made_params("vgg")),
        "dists": made_dists(),
    }
