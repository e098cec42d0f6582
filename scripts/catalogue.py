"""Writes native/core/src/config/catalogue/models.toml: what services say of their models, out of LiteLLM's table (MIT).

Usage: catalogue.py TABLE VERSION DATE

`TABLE` is `litellm/model_prices_and_context_window_backup.json` of the wheel `litellm` of that version, `DATE` the day on which it
was looked at: `pip download --no-deps litellm && unzip litellm-*.whl`. Look at the difference before it is committed: a price
that changed is a price that people are told.
"""

import json
import re
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "native/core/src/config/catalogue/models.toml"

PROVIDERS = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "deepseek": "deepseek",
    "mistral": "mistral",
    "groq": "groq",
    "xai": "grok",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "cerebras": "cerebras",
    "perplexity": "perplexity",
}
"""LiteLLM's names of providers, and the catalogue's. It has none of OpenRouter's, NVIDIA's and Hugging Face's models."""
LEFT_OUT = {
    # Fine-tuned models cost what theirs do; these are for a few customers; betas and experiments come and go.
    "openai": r"^ft:|cyber|daybreak|rosalind|-law$",
    # Prices of a region, and what is no model of OpenAI's: a deployment may have any name, so only the plain ones are known.
    "azure": r"/|^(ada|model-router|computer-use-preview)$",
    "gemini": r"gemma|exp|robotics|lyria|omni|deep-research",
    # Its Agent API, which hoosh does not ask.
    "perplexity": r"/|embed|^(?!sonar)|sonar-(small|medium)|^sonar-reasoning$",
    # What is asked for is `accounts/...`.
    "fireworks": r"^(?!accounts/)",
    "grok": r"beta|experimental|-gv2$",
    "together": r"^together-ai-",
}
MODALITIES = {"image": "vision", "audio": "audio_input", "video": "video_input", "pdf": "pdf_input"}
CAPABILITIES = {
    "tools": "function_calling",
    "structured_output": "response_schema",
    "reasoning": "reasoning",
}
PRICES = {
    "input_usd_per_mtok": ["input_cost_per_token"],
    "cached_input_usd_per_mtok": ["cache_read_input_token_cost"],
    "cache_write_usd_per_mtok": ["cache_creation_input_token_cost"],
    "cache_write_long_usd_per_mtok": [
        "cache_creation_input_token_cost_above_1hr",
        "cache_creation_input_token_cost_above_12hr",
    ],
    "output_usd_per_mtok": ["output_cost_per_token"],
}
LONG_PROMPT = re.compile(r"input_cost_per_token(_above_(\d+)k_tokens)")
"""The price of input in requests with more input than so many thousand tokens; the others end alike."""
PLACES = 6
"""Decimal places of a price: what the core can tell."""


def usd_per_mtok(cost: float | str) -> str | None:
    """The price of a million tokens, exactly; None where it cannot be told in six places."""
    price = Decimal(str(cost)) * 1_000_000
    rounded = round(price, PLACES)
    return f"{rounded.normalize():f}" if rounded == price else None


def prices(entry: dict[str, Any], ending: str = "") -> dict[str, str]:
    """What tokens cost, by the keys of the catalogue."""
    made = {}
    for key, names in PRICES.items():
        costs = (entry[name + ending] for name in names if entry.get(name + ending) is not None)
        if (cost := next(costs, None)) is not None and (price := usd_per_mtok(cost)) is not None:
            made[key] = price
    return {key: price for key, price in made.items() if price != "0" or not key.startswith("cache_write")}


def long_prompts(entry: dict[str, Any]) -> dict[str, str] | None:
    """What they cost in requests with long prompts, where that is another price."""
    found = [match for name in entry if (match := LONG_PROMPT.fullmatch(name))]
    if not found:
        return None
    # A catalogue knows one such bound; so does every model so far.
    (match,) = found
    made = prices(entry, match[1])
    made.setdefault("output_usd_per_mtok", prices(entry)["output_usd_per_mtok"])
    return {"above_tokens": f"{match[2]}000"} | made


def row(provider: str, name: str, entry: dict[str, Any], told: str, day: str) -> dict[str, Any] | None:
    """A row of the catalogue; None of a model whose price is not known."""
    made: dict[str, Any] = {"provider": provider, "name": name}
    for key, of in (("context_tokens", "max_input_tokens"), ("max_output_tokens", "max_output_tokens")):
        if isinstance(entry.get(of), int) and entry[of] > 0:
            made[key] = entry[of]
    if entry["mode"] == "embedding":
        made.pop("max_output_tokens", None)
        made["modalities"], made["capabilities"] = ["text"], ["embeddings"]
    else:
        made["modalities"] = ["text", *(word for word, of in MODALITIES.items() if entry.get(f"supports_{of}"))]
        made["capabilities"] = ["chat", *(word for word, of in CAPABILITIES.items() if entry.get(f"supports_{of}"))]
    made |= prices(entry)
    made.setdefault("output_usd_per_mtok", "0" if entry["mode"] == "embedding" else None)
    if made.get("input_usd_per_mtok") in (None, "0") or made["output_usd_per_mtok"] is None:
        return None
    if long := long_prompts(entry):
        made["long_prompts"] = long
    source = str(entry.get("source") or "")
    # An address with blanks or a query is somebody's call, not a page.
    made["source"] = source if re.fullmatch(r"https://[^\s?]+", source) else told
    made["as_of"] = day
    return made


def rows(table: dict[str, Any], told: str, day: str) -> list[dict[str, Any]]:
    """What is offered on that day, by provider and name."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for key, entry in table.items():
        provider = PROVIDERS.get(entry.get("litellm_provider", ""))
        if provider is None or entry.get("mode") not in ("chat", "responses", "embedding"):
            continue
        # A model that is withdrawn, or will be before long, is none to begin with.
        if str(entry.get("deprecation_date") or "9") < day:
            continue
        name = key.removeprefix(entry["litellm_provider"] + "/")
        pattern = LEFT_OUT.get(provider)
        if pattern and re.search(pattern, name):
            continue
        if provider == "fireworks" and "api.fireworks.ai" not in str(entry.get("source")):
            continue
        if made := row(provider, name, entry, told, day):
            found[list(PROVIDERS.values()).index(provider), name] = made
    return [found[key] for key in sorted(found)]


def written(made: dict[str, Any]) -> str:
    """A row as an inline table."""

    def value(key: str, value: Any) -> str:
        return table(value) if isinstance(value, dict) else value if key in plain else json.dumps(value)

    def table(made: dict[str, Any]) -> str:
        return f"{{ {', '.join(f'{key} = {value(key, said)}' for key, said in made.items())} }}"

    plain = {"above_tokens", *PRICES}
    return f"    {table(made)},\n"


def text(table: dict[str, Any], version: str, day: str) -> str:
    """The whole file."""
    told = f"https://pypi.org/project/litellm/{version}/"
    head = (
        f"# What services say of their models and ask for them, of {day}: from LiteLLM {version}'s\n"
        "# model_prices_and_context_window_backup.json (MIT, Copyright (c) 2023 Berri AI). Written by scripts/catalogue.py: change\n"
        "# nothing here by hand. `source` is the page that LiteLLM names, or LiteLLM where it names none.\n"
        "models = [\n"
    )
    return head + "".join(written(made) for made in rows(table, told, day)) + "]\n"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    day = date.fromisoformat(sys.argv[3]).isoformat()
    FILE.write_text(text(json.loads(Path(sys.argv[1]).read_text("utf-8")), sys.argv[2], day), encoding="utf-8")
