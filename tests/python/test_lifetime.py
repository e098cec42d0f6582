"""What becomes of a gateway at `close`, after a fork, when it is dropped, and when the interpreter ends."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import trio

import hoosh
from hoosh import errors

pytestmark = pytest.mark.usefixtures("transport")

ROOT = Path(__file__).parents[2]
ENGINE = '[[providers]]\nname = "mine"\ntype = "engine"\nmodels = ["parrot"]\n'
ASK = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}


async def parrot(call):
    await call.text("Hello")
    await call.finish()


BEGIN = f"""
import os, signal, sys, threading, time, warnings
import hoosh
from hoosh import errors

for made in (hoosh.Gateway, hoosh.SyncGateway):
    made.__init__.__kwdefaults__["transport"] = os.environ["HOOSH_TEST_TRANSPORT"]

signal.alarm(20)
ASK = {ASK!r}

async def parrot(call):
    await call.text("Hello")
    await call.finish()

def gateway():
    made = hoosh.SyncGateway({ENGINE!r})
    made.register("mine", parrot)
    return made

def said(gateway):
    return gateway.chat(**ASK)["choices"][0]["message"]["content"]
"""


def run(code, *options):
    """A Python program of its own: (exit code, stdout, stderr, seconds)."""
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *options, "-c", BEGIN + textwrap.dedent(code)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT, env=environment, check=False)
    return child.returncode, child.stdout, child.stderr, time.monotonic() - began


# --- close -------------------------------------------------------------------------------------------------------------


def test_close_ends_a_gateway_with_a_thread_and_may_be_called_again():
    gateway = hoosh.SyncGateway(ENGINE).start()
    gateway.register("mine", parrot)
    assert gateway.chat(**ASK)["choices"]
    named = [thread for thread in threading.enumerate() if thread.name == "hoosh"]
    gateway.close()
    gateway.close()
    assert not any(thread.is_alive() for thread in named)
    assert [row["ending"] for row in gateway.ledger] == ["completed"]
    with pytest.raises(errors.InvalidRequest, match="does not run"):
        gateway.chat(**ASK)
    with pytest.raises(errors.InvalidRequest, match="closed"):
        gateway.start()


def test_close_from_another_thread_ends_what_is_in_progress():
    began = threading.Event()

    async def slow(call):
        began.set()
        await trio.sleep_forever()

    gateway = hoosh.SyncGateway(ENGINE).start()
    gateway.register("mine", slow)
    ended = []

    def ask():
        try:
            gateway.chat(**ASK)
        except BaseException as error:
            ended.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert began.wait(5)
    gateway.close()
    asking.join(5)
    assert not asking.is_alive()
    assert len(ended) == 1


async def test_a_closed_gateway_admits_nothing_and_can_be_left():
    async with hoosh.Gateway(ENGINE) as gateway:
        gateway.register("mine", parrot)
        assert await gateway.chat(**ASK)
        gateway.close()
        gateway.close()
        with pytest.raises(errors.InternalError) as caught:
            await gateway.chat(**ASK)
        assert caught.value.code == "draining"
        assert len(gateway.ledger) == 1
    with pytest.raises(errors.InvalidRequest, match="closed"):
        async with gateway:
            pass


async def test_one_object_is_entered_once_at_a_time():
    gateway = hoosh.Gateway(ENGINE)
    for _ in range(2):
        async with gateway:
            with pytest.raises(errors.InvalidRequest, match="runs already"):
                await gateway.__aenter__()


# --- dropped -----------------------------------------------------------------------------------------------------------


def test_a_gateway_that_is_dropped_while_it_runs_warns_and_ends_its_thread():
    before = set(threading.enumerate())
    gateway = hoosh.SyncGateway(ENGINE).start()
    (thread,) = set(threading.enumerate()) - before
    held = [gateway]
    del gateway
    with pytest.warns(ResourceWarning, match="unclosed SyncGateway"):
        held.clear()
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_one_that_was_left_or_closed_or_never_entered_does_not_warn():
    code = """
        with gateway() as left:
            pass
        closed = gateway().start()
        closed.close()
        hoosh.Gateway(%r)
        del left, closed
    """
    assert run(code % ENGINE, "-W", "error", "-X", "dev")[:3] == (0, "", "")


def test_an_async_gateway_that_is_never_left_warns():
    code = """
        import asyncio
        async def main():
            made = hoosh.Gateway(%r)
            await made.__aenter__()
            await asyncio.sleep(0)
            del made
        try:
            asyncio.run(main())
        except BaseException:
            pass
    """
    code, _, err, _ = run(code % ENGINE, "-W", "always")
    assert code == 0
    assert "unclosed Gateway" in err


# --- exit --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    ["", "sys.exit(0)", "threading.Thread(target=lambda: time.sleep(0.2)).start()", "del made"],
    ids=["falls off", "sys.exit", "beside a thread", "dropped"],
)
def test_a_program_ends_that_never_closes_its_gateway(end):
    code, out, err, seconds = run(f"made = gateway().start()\nprint(said(made))\n{end}")
    assert (code, out) == (0, "Hello\n"), err
    assert "Traceback" not in err
    assert seconds < 15


def test_an_uncaught_error_keeps_its_exit_code():
    code, _, err, _ = run("made = gateway().start()\nsaid(made)\nraise KeyError('mine')")
    assert (code, err.rstrip().splitlines()[-1]) == (1, "KeyError: 'mine'")


def test_the_rows_that_wait_are_stored_at_exit():
    code = """
        import atexit, json, trio
        from hoosh._driver import Driver, Kept, process
        driver = Driver(hoosh.Config.parse(%r, {}))
        driver.engines["mine"] = parrot
        async def main():
            # No loop runs, so that nothing stores what this one leaves.
            await driver.drive(Kept(json.dumps(ASK).encode()), "POST", "/v1/chat/completions", [], neutral=True)
        trio.run(main)
        print(driver.gateway.rows_waiting(), len(driver.store.rows()))
        # Called last: handlers run in the reverse order.
        atexit.unregister(process._close_all)
        atexit.register(lambda: print(driver.gateway.rows_waiting(), len(driver.store.rows())))
        atexit.register(process._close_all)
    """
    code, out, err, _ = run(code % ENGINE)
    assert (code, out) == (0, "1 0\n0 1\n"), err


# --- fork --------------------------------------------------------------------------------------------------------------

IN_A_CHILD = """
def in_a_child(work):
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        try:
            work()
        except BaseException as error:
            print(type(error).__name__, str(error).partition(".")[0])
        sys.stdout.flush()
        EXIT(0)
    assert os.waitpid(child, 0)[1] == 0

"""
BELONGS = "ForkError This gateway belongs to the process that forked this one\n"


@pytest.mark.parametrize("leaves", ["os._exit", "sys.exit"])
def test_a_fork_may_not_use_the_gateway_with_a_thread_of_its_parent(leaves):
    code = IN_A_CHILD.replace("EXIT", leaves) + textwrap.dedent("""
        made = gateway().start()
        said(made)
        in_a_child(lambda: said(made))
        in_a_child(lambda: made.ledger)
        in_a_child(lambda: (made.close(), print("closed")))
        def own():
            with gateway() as other:
                print("own", said(other))
        in_a_child(own)
        print(said(made))
        made.close()
    """)
    code, out, err, _ = run(code)
    assert (code, out) == (0, BELONGS * 2 + "closed\nown Hello\nHello\n"), err


def test_a_with_that_a_fork_leaves_is_the_parents():
    code = """
        with gateway() as made:
            said(made)
            child = os.fork()
        if child == 0:
            print("left")
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    code, out, err, _ = run(code)
    assert (code, out) == (0, "left\n"), err


def test_a_fork_may_not_use_an_async_gateway_of_its_parent():
    code = IN_A_CHILD.replace("EXIT", "os._exit") + textwrap.dedent("""
        import trio
        made = hoosh.Gateway(%r)
        made.register("mine", parrot)
        async def ask():
            async with made:
                await made.chat(**ASK)
        in_a_child(lambda: trio.run(ask))
        in_a_child(lambda: made.close())
        trio.run(ask)
        print(len(made.ledger))
    """)
    code, out, err, _ = run(code % ENGINE)
    assert (code, out) == (0, BELONGS + "1\n"), err


def test_a_server_that_was_not_used_may_be_made_before_a_fork():
    code = IN_A_CHILD.replace("EXIT", "os._exit") + textwrap.dedent("""
        import trio
        provider = hoosh.Provider(type="engine", name="mine", models=["parrot"], engine=parrot)
        server = hoosh.Server.builder().provider(provider).build()
        async def ask():
            async with server.running():
                print((await server.gateway.chat(**ASK))["choices"][0]["message"]["content"])
        in_a_child(lambda: trio.run(ask))
        in_a_child(lambda: trio.run(ask))
        trio.run(ask)
        in_a_child(lambda: trio.run(ask))
        in_a_child(server.close)
    """)
    code, out, err, _ = run(code)
    assert (code, out) == (0, "Hello\n" * 3 + BELONGS), err


# --- what blocks in a thread -------------------------------------------------------------------------------------------


def test_a_credential_that_cannot_be_read_keeps_no_asyncio_program_from_its_exit(tmp_path):
    key = tmp_path / "key"
    key.write_text("k")
    code = f"""
        import asyncio
        file = {str(key)!r}
        config = '[[providers]]\\nname = "one"\\ntype = "openai"\\nbase_url = "http://127.0.0.1:9/v1"\\nmodels = ["m"]\\n'
        config += 'api_key = {{file = "' + file + '", refresh_secs = 1}}\\n'
        from hoosh import _environment
        stuck = threading.Event()
        def credential(*given):  # as of a file system that hangs
            stuck.set()
            threading.Event().wait()
        async def main():
            async with hoosh.Gateway(config):
                _environment.credential = credential
                while not stuck.is_set():
                    await asyncio.sleep(0.01)
        asyncio.run(main())
        print("over")
    """
    code, out, err, _ = run(code)
    assert (code, out) == (0, "over\n"), err


def test_a_hook_that_never_returns_keeps_no_asyncio_program_from_its_exit():
    code = """
        import asyncio
        stuck = threading.Event()
        def auth(request):
            stuck.set()
            threading.Event().wait()
        provider = hoosh.Provider(
            type="openai", name="one", base_url="http://127.0.0.1:9/v1", models=["parrot"], auth=auth
        )
        server = hoosh.Server.builder().provider(provider).build()
        async def main():
            async with server.running():
                asked = asyncio.ensure_future(server.gateway.chat(**ASK))
                while not stuck.is_set():
                    await asyncio.sleep(0.01)
                asked.cancel()
                await asyncio.wait([asked])
        asyncio.run(main())
        print("over")
    """
    code, out, err, _ = run(code)
    assert (code, out) == (0, "over\n"), err
