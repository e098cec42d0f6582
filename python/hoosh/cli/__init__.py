"""The command line: `hoosh serve | infer | models | check | cache | store`."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hoosh import __version__
from hoosh.cli import output
from hoosh.errors import ConfigError, HooshError, InvalidRequest

if TYPE_CHECKING:
    import os

EPILOG = """\
examples:
  hoosh serve                                 serve hoosh.toml, or what is found
  hoosh check --config prod.toml              say what a configuration means, and what is odd in it
  hoosh models                                what can be asked, without a server
  hoosh infer -m llama3.2 "Why is the sky blue?"
  hoosh store backup copy.db                  copy budgets and ledger, beside a running server
  cat notes.txt | hoosh infer -m gpt-4o-mini  the prompt from standard input
  hoosh cache warm questions.jsonl            have a running gateway keep the answers
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    output.prepare()
    try:
        return int(options.run(options))
    except output.OutputError as error:
        output.abandon()
        print(f"hoosh: Standard output cannot be written: {error}.", file=sys.stderr)
        return 1
    except ConfigError as error:
        print(f"hoosh: {error}", file=sys.stderr)
        return 1
    except HooshError as error:
        print(f"hoosh: {error} [{error.code}]", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hoosh",
        description="An AI inference gateway: one endpoint in front of every model, with budgets that hold.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hoosh {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.add_argument("--config", metavar="FILE", help="else ./hoosh.toml, else what is found")
        return made

    serve = command("serve", "Listen and answer, until SIGTERM or Ctrl-C.")
    serve.add_argument("--bind", help="address to listen on (default from the configuration: 127.0.0.1)")
    serve.add_argument(
        "--port", type=_port, help="TCP port (default from the configuration: 8088); 0 lets the system choose"
    )
    serve.add_argument(
        "--first-answer", action="store_true", help="ask a model one question through the port, and show it"
    )
    serve.set_defaults(run=_serve)
    infer = command("infer", "Ask a model one question, without a server.")
    infer.add_argument("-m", "--model", required=True)
    infer.add_argument("prompt", nargs="?", help="else standard input")
    infer.add_argument(
        "--json", action="store_true", help="print the whole answer as JSON instead of streaming its text"
    )
    infer.set_defaults(run=_infer)
    command("models", "List the models that can be asked.").set_defaults(run=_models)
    command("check", "Check a configuration and print what is in force, secrets hidden.").set_defaults(run=_check)
    _add_cache(commands)
    store = commands.add_parser("store", help="Look into the file of budgets and ledger, or copy it.")
    kinds = store.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, words, run in (
        ("check", "Read everything: is the file whole, and do its rows add up? Exit code 1 if not.", _store_check),
        ("info", "Say what is in it, and who has it open.", _store_info),
        ("backup", "Copy it to a new file, also while a server writes to it.", _store_backup),
    ):
        made = kinds.add_parser(name, help=words, description=words)
        made.add_argument("--config", metavar="FILE", help="else ./hoosh.toml, else what is found")
        made.add_argument("--path", metavar="STORE", help="the store, else the configuration's")
        made.set_defaults(run=run)
        if name == "backup":
            made.add_argument("file", metavar="FILE", help="the copy, which must not be there yet")
    return parser


def _add_cache(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    cache = commands.add_parser("cache", help="Warm the cache of a running gateway.")
    words = "Ask each request of a file of JSON lines once, so that its answer is kept."
    warm = cache.add_subparsers(required=True, metavar="COMMAND").add_parser("warm", help=words, description=words)
    warm.add_argument("file", help='a body a line, or {"endpoint": "chat", "body": {…}}')
    warm.add_argument("--server", help="else $HOOSH_SERVER, else http://127.0.0.1:8088")
    warm.add_argument("--key", help="else $HOOSH_KEY")
    warm.add_argument("--concurrency", type=_count, default=4, help="requests at once (default 4)")
    warm.set_defaults(run=_warm)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not from 1 to 1000")
    return int(text)


def _warm(options: argparse.Namespace) -> int:
    from hoosh._environment import server_and_key
    from hoosh.cli.warm import run

    server, key = server_and_key(options.server, options.key)
    return run(options.file, server, key, options.concurrency)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no TCP port: 0 to 65535")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    from hoosh._environment import load
    from hoosh.server import serve

    config, file = load(options.config)
    return serve(config, file, options.bind, options.port, show_first=options.first_answer)


def _check(options: argparse.Namespace) -> int:
    from hoosh._environment import load

    output.put(load(options.config)[0].describe())
    return 0


def _store_path(options: argparse.Namespace) -> "os.PathLike[str]":
    from hoosh._environment import load
    from hoosh.store import path_of

    return path_of(None, options.path) if options.path else path_of(load(options.config)[0])


def _store_check(options: argparse.Namespace) -> int:
    from hoosh import store

    path = _store_path(options)
    report = store.check(path)
    output.put(store.told(path, report) + ("" if report["problems"] else "All is well.\n"))
    return 1 if report["problems"] else 0


def _store_info(options: argparse.Namespace) -> int:
    from hoosh import store

    path = _store_path(options)
    output.put(store.told(path, store.info(path)))
    return 0


def _store_backup(options: argparse.Namespace) -> int:
    from hoosh import store

    store.backup(_store_path(options), options.file)
    return 0


def _models(options: argparse.Namespace) -> int:
    from hoosh._environment import load
    from hoosh.cli.ask import models

    return models(load(options.config)[0])


def _infer(options: argparse.Namespace) -> int:
    from hoosh._environment import load
    from hoosh.cli.ask import infer

    prompt = options.prompt if options.prompt is not None else _standard_input()
    return infer(load(options.config)[0], options.model, prompt, as_json=options.json)


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The prompt is not text: {error}.", code="invalid_value", status=400) from error
