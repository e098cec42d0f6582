"""hoosh's configurations: bare, with each policy alone, with all of them, and with very many of everything."""

KEY = "a-key-of-a-caller-0123456789abcdef"

# A server's other keys follow `threads`, which the driver puts before.
BARE = """
[log]
access = "off"
level = "error"

[storage]
path = "{storage}"
{more}
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "http://127.0.0.1:{upstream}/v1"
api_key = "operator-key"
models = ["small-*"]
{limited}
"""
LIMITED = "max_concurrency = 100000\nrate_limit_rpm = 1000000000"
TABLES = {
    "key": f'[auth]\ntokens = [{{ token = "{KEY}", name = "caller" }}]\n',
    "scope": f'[auth]\ntokens = [{{ token = "{KEY}", name = "caller", models = ["small-*"] }}]\n',
    "limits": "[limits]\nmax_concurrency = 100000\nrate_limit_rpm = 1000000000\n",
    "budget": '[[budgets]]\nname = "default"\ncapacity = 1000000000000000\nslice = 100000000000000\n',
    "cache": '[cache]\nenabled = true\nmode = "always"\n',
    "ledger": "",
}
# What a caller's key says when every policy is on.
ALL_KEY = (
    f'[auth]\ntokens = [{{ token = "{KEY}", name = "caller", models = ["small-*"], budget = "team", '
    "max_concurrency = 100000, rate_limit_rpm = 1000000000 }]\n"
)
ALL_BUDGET = TABLES["budget"].replace("default", "team")
# In the order in which a request meets them.
ALONE = {
    "key": "key",
    "scope": "key and scope",
    "limits": "limits (gateway, provider)",
    "budget": "budget",
    "cache": "cache that misses",
    "ledger": "durable ledger",
}


def bare(upstream: int) -> str:
    return _config(upstream)


def alone(policy: str, upstream: int) -> str:
    """One policy and nothing else. A scope needs a key, so it has one."""
    return _config(upstream, TABLES[policy], limited=policy == "limits", durable=policy == "ledger")


def every(upstream: int, cache: str = "") -> str:
    """Key, scope, limits of gateway, key and provider, budget, cache, metrics and the durable ledger."""
    tables = ALL_KEY + TABLES["limits"] + ALL_BUDGET + TABLES["cache"] + cache
    return _config(upstream, tables, limited=True, durable=True)


def needs_key(policy: str) -> bool:
    return policy in ("key", "scope")


def many(upstream: int, *, routes: int, keys: int, budgets: int, entries: int) -> str:
    """Each model at a provider of its own, each key with a budget of its own, and a cache that holds so many answers."""
    lines = [TABLES["limits"], f'[cache]\nenabled = true\nmode = "always"\nttl_secs = 3600\nmax_entries = {entries}']
    lines.append(f"max_bytes = {max(entries, 1000) * 4096}\n")
    lines += [
        f'[[budgets]]\nname = "team-{number}"\ncapacity = 1000000000000\nslice = 100000000000'
        for number in range(budgets)
    ]
    for number in range(keys):
        token = f"bench-key-{number:08}-0123456789abcdef"
        lines.append(f'[[auth.tokens]]\ntoken = "{token}"\nname = "caller-{number}"')
        lines.append(f'models = ["model-*"]\nbudget = "team-{number % budgets}"')
    for number in range(routes):
        lines.append(f'[[providers]]\nname = "provider-{number}"\ntype = "openai_compatible"\napi_key = "operator-key"')
        lines.append(f'base_url = "http://127.0.0.1:{upstream}/v1"\nmodels = ["model-{number:05}"]\n{LIMITED}')
    text = "\n".join(lines)
    return f'[log]\naccess = "off"\nlevel = "error"\n\n[storage]\npath = "{{folder}}/{{port}}.db"\n\n{text}\n'


def _config(upstream: int, more: str = "", *, limited: bool = False, durable: bool = False) -> str:
    storage = "{folder}/{port}.db" if durable else ":memory:"
    return BARE.format(upstream=upstream, storage=storage, more=more, limited=LIMITED if limited else "")
