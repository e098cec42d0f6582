"""What every engine owes its gateway, of one in a process of its own."""

from hoosh.engines import Hosted
from hoosh.testing import ProviderContract


class TestHosted(ProviderContract):
    def engine(self):
        return Hosted("tests.python.hosted:Speaker", {})
