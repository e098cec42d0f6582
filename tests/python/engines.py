"""Engines for tests, good and bad, and a gateway around one."""

from hoosh.engines import Finish, Model, Text, Usage

ENGINE = '[[providers]]\nname = "mine"\ntype = "engine"\n'
ONCE = "[retry]\nmax_attempts = 1\n"
SHORT = "[deadlines]\nfirst_byte_secs = 1\nidle_secs = 1\n"
MESSAGES = [{"role": "user", "content": "Say hello"}]
ASK = {"model": "m", "messages": MESSAGES}


class Parrot:
    """Says again what it was told, word by word, and counts letters."""

    def models(self):
        return [Model(name="m", context=100), Model(name="e", chat=False, embeddings=True)]

    def chat(self, request):
        for word in request.texts[-1][1].split(" "):
            yield word + " "

    def complete(self, request):
        return [Text(f"[{request.prompt}]"), Finish("length"), Usage(3, 4)]

    def embed(self, request):
        return [[float(len(text)), 1.0] for text in request.inputs]


class AsyncParrot:
    """The same, `async`."""

    async def models(self):
        return Parrot().models()

    async def chat(self, request):
        for piece in Parrot().chat(request):
            yield piece

    async def complete(self, request):
        return Parrot().complete(request)

    async def embed(self, request):
        return Parrot().embed(request)


class Of:
    """An engine whose `chat` is the function given."""

    def __init__(self, chat, **more):
        self.chat = chat
        self.__dict__.update(more)


def pieces(*said):
    return Of(lambda request: list(said))
