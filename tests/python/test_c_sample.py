"""What the cases cannot say of the gateway in C: requests that are no HTTP."""

import json

import pytest
from tests.cases.drivers import c_program
from tests.python.conftest import PROVIDER
from tests.python.test_wire import CHUNKED, talk

CONFIG = PROVIDER.format(name="one", url="http://127.0.0.1:9", priority=1) + 'models = ["m"]\n'


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", CHUNKED + b"+4\r\nabcd\r\n"], ids=["head", "chunk"])
async def test_what_it_cannot_read_is_an_exchange_that_was_refused(tmp_path, sent):
    async with c_program(CONFIG, tmp_path) as driver:
        (answer,) = await talk(f"http://127.0.0.1:{driver.port}", sent)
        status, headers, body = answer
        assert (status, json.loads(body)["error"]["code"]) == (400, "malformed_request")
        assert headers["connection"] == "close"
        assert headers["x-request-id"]
