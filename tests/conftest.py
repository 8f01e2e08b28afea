"""Settings and fixtures shared by all tests."""

import pytest
import torch
from hypothesis import settings

# The same examples on every run: a failure is a defect of the code, never of the day.
settings.register_profile(
    "projcomp", deadline=None, derandomize=True, database=None, max_examples=25
)
settings.load_profile("projcomp")

# The tests are many small operations, on which a second thread mostly waits for the first.
torch.set_num_threads(1)


@pytest.fixture
def generator() -> torch.Generator:
    """A fresh source of randomness with a fixed seed."""
    return torch.Generator().manual_seed(20250204)
