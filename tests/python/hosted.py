"""An engine for a process of its own, which does what it is told, also what no engine should; and a gateway around it."""

import os
import sys
import threading
import time
from pathlib import Path

from hoosh.engines import Finish, Health, Logprob, Model, Reasoning, Refused, Text, ToolCall, Usage
from hoosh.engines.host.frames import LENGTH, frame
from hoosh.engines.host.hosted import Hosted

CONFIG = '[[providers]]\ntype = "python:tests.python.hosted:Apart"\nname = "apart"\n'


class Apart(Hosted):
    """`Told` in a process of its own."""

    def __init__(self, **more):
        super().__init__("tests.python.hosted:Told", more, name="told")


def _write(data):
    """What no engine can: words of its own on the way to the gateway."""
    os.write(int(sys.argv[3]), data)


class Told:
    """Does what the last message says."""

    def __init__(self, folder=None, broken=None, slow=0):
        if broken:
            raise ValueError(broken)
        if slow:
            time.sleep(slow)
        self.folder = None if folder is None else Path(folder)
        self.cancelled = self.said = 0
        self.loaded = []
        self.go_on = threading.Event()

    def models(self):
        return [Model(name="m", context=100_000), Model(name="e", chat=False, embeddings=True)]

    def health(self):
        return Health(ok=True)

    def load(self, model, progress):
        for done in range(4):
            progress(done, 3)
        self.loaded.append(model)

    def unload(self, model):
        self.loaded.remove(model)

    def embed(self, request):
        return [[float(len(text)), 0.5] for text in request.inputs]

    def complete(self, request):
        return f"[{request.prompt}]"

    def chat(self, request):
        words = request.texts[-1][1].split()
        return getattr(self, words[0])(request, *words[1:])

    # --- what a good one does

    def say(self, request, *words):
        for word in words:
            yield word + " "
        yield Usage(7, len(words))

    def likely(self, request):
        yield Text("ab", (Logprob("a", -0.5, top=(Logprob("a", -0.5), Logprob("c", -1.5))), Logprob("b", -0.25)))
        yield Text("", (Logprob("\ufffd", -2.0, b"\xf0"),))

    def everything(self, request):
        yield Reasoning("hm")
        yield "text"
        yield ToolCall(0, id="call_1", name="f", arguments="{}")
        yield Finish("tool_calls")
        yield Usage(3, 4)

    def fields(self, request):
        return f"{request.temperature} {request.seed} {request.max_tokens} {request.raw['user']} {request.choice}"

    def pid(self, request):
        return str(os.getpid())

    def counts(self, request):
        return f"{self.cancelled} {self.said} {len(self.loaded)}"

    def refuse(self, request):
        raise Refused(413, "too much of it", code="too_much", param="messages")
        yield

    def wait(self, request, *before):
        """Say something and wait until nobody wants more."""
        yield from before
        request.cancelled.wait(60)
        self.cancelled += request.cancelled.is_set()

    def endless(self, request):
        while True:
            self.said += 1
            yield "x" * 1000

    # --- what a bad one does

    def fail(self, request, *before):
        yield from before
        raise ValueError("canary")

    def leave(self, request, *before):
        yield from before
        sys.exit("canary")

    def die(self, request, *before):
        yield from before
        sys.stderr.write("first line\nlast words\x1b[31m\n")
        sys.stderr.flush()
        os.abort()

    def hang(self, request, *before):
        yield from before
        time.sleep(600)

    def print(self, request):
        for _ in range(10_000):
            sys.stdout.write("noise\n" * 10)
            sys.stderr.write("\x00\xff" * 10)
        yield "done"

    def bytes(self, request):
        yield b"a"

    def surrogate(self, request):
        yield "\ud83d"

    def garbage(self, request):
        _write(b"\0\0\0\4abcd")
        time.sleep(600)

    def array(self, request):
        _write(LENGTH.pack(2) + b"[]")
        time.sleep(600)

    def huge(self, request):
        _write(LENGTH.pack(0xFFFFFFFF))
        time.sleep(600)

    def half(self, request):
        _write(frame({"call": 1, "said": ["Text", "a", []]})[:-3])
        os._exit(0)

    def stranger(self, request):
        _write(frame({"call": 999, "said": ["Text", "a", []]}))
        time.sleep(600)

    def nonsense(self, request):
        _write(frame({"hello": "you"}))
        time.sleep(600)

    def kinds(self, request):
        yield "a"
        _write(b"".join(frame({"call": call, "said": ["Nothing", 1]}) for call in self._numbers()))
        time.sleep(600)

    def flood(self, request):
        yield "a"
        data = frame({"call": self._numbers()[0], "said": ["Text", "x" * (1 << 20), []]})
        for _ in range(200):
            for at in range(0, len(data), 1 << 16):
                _write(data[at : at + (1 << 16)])

    def _numbers(self):
        """The calls in progress, as the gateway counts them."""
        import gc

        from hoosh.engines.host.child import Host

        (host,) = [one for one in gc.get_objects() if isinstance(one, Host)]
        return list(host._calls)


class Speaker:
    """One that does what every engine should."""

    def models(self):
        return [Model(name="model", embeddings=True)]

    def health(self):
        return Health(ok=True)

    def chat(self, request):
        text = request.texts[-1][1] if request.texts else ""
        words = ["You", "said:", *text.split(), "and", "nothing", "more"]
        for word in words[: request.max_tokens]:
            yield word + " "
        if request.max_tokens is not None and request.max_tokens < len(words):
            yield Finish("length")

    def complete(self, request):
        yield f"{request.prompt} and so on"

    def embed(self, request):
        return [[float(len(text)), 1.0] for text in request.inputs]
