"""One case a run, in the clients' own environment: `python run.py MODULE CASE URL`."""

import asyncio
import importlib
import inspect
import json
import sys

module, case, url = sys.argv[1:]
work = getattr(importlib.import_module(module), case)
seen = asyncio.run(work(url)) if inspect.iscoroutinefunction(work) else work(url)
print("\n" + json.dumps(seen or {}))
