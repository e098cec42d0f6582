"""What every engine owes its gateway, of models that llama.cpp computes."""

from pathlib import Path

import pytest

import hoosh
from hoosh.engines.llamacpp import LlamaCpp
from hoosh.testing import ProviderContract
from tests.llamacpp.conftest import ENVIRONMENT

DEMONSTRATION = Path(hoosh.__file__).parent / "models" / "hoosh-tiny.gguf"


class TestWords(ProviderContract):
    model = "demonstration"
    question = "What is hoosh?"

    def engine(self):
        return LlamaCpp(files={self.model: str(DEMONSTRATION)}, python=str(ENVIRONMENT / "bin" / "python"), threads=1)


class TestVectors(ProviderContract):
    model = "tiny"

    @pytest.fixture(autouse=True)
    def file(self, model):
        self.path = str(model)

    def engine(self):
        return LlamaCpp(
            files={self.model: self.path},
            python=str(ENVIRONMENT / "bin" / "python"),
            threads=1,
            embeddings=True,
            pooling="mean",
        )
