"""`hoosh providers` and `hoosh models`: what is known of services and models, and what of it is here."""

import json

import httpx2
from tests.python.conftest import provider, serving
from tests.python.test_cli import run

ACME = """
[[catalogue.providers]]
name = "acme"
origin = "https://api.acme.example"
key_variable = "ACME_KEY"
services = ["rerank"]

[[catalogue.models]]
provider = "acme"
name = "acme-1"
context_tokens = 200_000
modalities = ["text", "image"]
capabilities = ["chat", "tools"]
input_usd_per_mtok = 0.5
output_usd_per_mtok = 2

[[providers]]
type = "acme"
name = "mine"
models = ["acme-1", "other"]
"""


def lines(out: bytes) -> dict[str, list[str]]:
    return {line.split("\t")[0]: line.split("\t")[1:] for line in out.decode().splitlines()}


async def test_types_are_listed_with_those_of_the_file_and_no_key(tmp_path):
    (tmp_path / "hoosh.toml").write_text(ACME)
    secret = {"ACME_KEY": "s3cr3t", "GROQ_API_KEY": " ", "OPENAI_API_KEY": "s3cr3t"}
    code, out, _ = await run(tmp_path, "providers", environment=secret)
    assert code == 0
    assert b"s3cr3t" not in out
    told = lines(out)
    assert told["acme"] == ["openai_chat", "https://api.acme.example/v1", "ACME_KEY", "set", "rerank", "mine"]
    assert told["groq"][1:4] == ["https://api.groq.com/openai/v1", "GROQ_API_KEY", "not set"]
    assert told["azure"][1:3] == ["base_url", "AZURE_OPENAI_API_KEY"]
    assert told["candle"][:2] == ["", "in this process"]
    code, out, _ = await run(tmp_path, "providers", "--json", environment=secret)
    kinds = {kind["name"]: kind for kind in json.loads(out)}
    assert b"s3cr3t" not in out
    assert (kinds["acme"]["key_set"], kinds["acme"]["configured"]) == (True, ["mine"])
    assert (kinds["ollama"]["key_set"], kinds["ollama"]["local"]) == (None, True)
    assert kinds["openai"]["quirks"]
    assert kinds["azure"]["auth"] == "api_key"


async def test_models_are_listed_with_what_is_known_of_them(tmp_path):
    (tmp_path / "hoosh.toml").write_text(ACME)
    here = {"ACME_KEY": "s3cr3t"}
    code, out, _ = await run(tmp_path, "models", environment=here)
    assert code == 0
    told = lines(out)
    assert told["acme-1"] == ["mine", "200000", "0.50", "2.00", "vision, tools"]
    assert told["other"] == ["mine", "", "", "", ""]
    assert (await run(tmp_path, "models", "mine", environment=here))[1] == out
    code, out, said = await run(tmp_path, "models", "nobody", environment=here)
    assert (code, out) == (1, b"")
    assert "No model of a provider called nobody" in said
    _, out, _ = await run(tmp_path, "models", "--json", environment=here)
    [first, _] = json.loads(out)
    assert first["id"] == "acme-1"
    assert first["capabilities"]["price"]["value"]["input_usd_per_mtok"] == "0.50"


async def test_the_catalogue_is_listed_without_asking_anybody(tmp_path):
    (tmp_path / "hoosh.toml").write_text(ACME)
    code, out, _ = await run(tmp_path, "models", "--catalogue")
    assert code == 0
    told = lines(out)
    assert told["acme-1"] == ["acme", "200000", "0.50", "2.00", "vision, tools"]
    assert len(told) > 200
    _, out, _ = await run(tmp_path, "models", "--catalogue", "claude", "--json")
    models = json.loads(out)
    assert {model["provider"] for model in models} == {"anthropic"}
    for model in models:
        assert model["source"].startswith("https://")
        assert len(model["as_of"]) == 10
    code, out, said = await run(tmp_path, "models", "--catalogue", "nobody")
    assert (code, out) == (1, b"")
    assert "no provider type called nobody" in said


async def test_a_server_that_does_not_tell_this_key_lists_names_alone(tmp_path, upstream):
    keys = '[auth]\ntokens = [{ token = "t", models = ["m"] }]\n'
    async with serving(provider(upstream) + 'models = ["m"]\n' + keys) as (url, _), httpx2.AsyncClient() as http:
        refused = await http.get(f"{url}/v1/providers", headers={"authorization": "Bearer t"})
        assert refused.status_code == 403
        code, out, _ = await run(tmp_path, "models", "--server", url, "--key", "t")
    assert (code, out) == (0, b"m\tone\t\t\t\t\n")
