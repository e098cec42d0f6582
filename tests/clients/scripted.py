"""An upstream that speaks OpenAI's chat only and does what a test says: each tool once, then a last text.

`tests/upstream` calls every tool that it is offered, and its plans go to whoever asks next. A coding agent offers a dozen
tools and asks beside its conversation, so here the conversation alone decides what is answered.
"""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


@dataclass
class Scripted:
    """What is answered, and what was asked."""

    calls: dict[str, dict]
    """A tool's name, and the arguments that it is called with where it is offered and was not called yet."""
    text: str = "All is done."
    shaped: dict | None = None
    """Said as JSON where `response_format` asks for a shape."""
    requests: list[dict] = field(default_factory=list)
    url: str = ""

    def message(self, asked):
        """The assistant's message, and why it ends."""
        offered = [tool["function"]["name"] for tool in asked.get("tools") or []]
        for name, arguments in self.calls.items():
            if name in offered and name not in called(asked):
                call = {"name": name, "arguments": json.dumps(arguments)}
                calls = [{"id": f"call_{name}", "type": "function", "function": call}]
                return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"
        shaped = self.shaped is not None and "response_format" in asked
        return {"role": "assistant", "content": json.dumps(self.shaped) if shaped else self.text}, "stop"

    def conversations(self, *, tool):
        """The requests that offer `tool`."""
        return [
            asked for asked in self.requests if tool in [one["function"]["name"] for one in asked.get("tools") or []]
        ]

    def results(self):
        """What tools gave, of the last request that has results."""
        of_each = [[one for one in asked["messages"] if one["role"] == "tool"] for asked in self.requests]
        return next((results for results in reversed(of_each) if results), [])


def called(asked):
    calls = [call for message in asked["messages"] for call in message.get("tool_calls") or []]
    return {call["function"]["name"] for call in calls}


def chunks(asked, message, finish):
    """A streamed answer: the text in pieces of four characters, the arguments in two."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"]}

    def chunk(delta, finish=None):
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for call in message.get("tool_calls", []):
        said = call["function"]["arguments"]
        half = len(said) // 2
        yield chunk({"tool_calls": [{"index": 0, **call, "function": {**call["function"], "arguments": said[:half]}}]})
        yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": said[half:]}}]})
    text = message["content"] or ""
    for start in range(0, len(text), 4):
        yield chunk({"content": text[start : start + 4]})
    yield chunk({}, finish)
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": USAGE}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.say({"object": "list", "data": [{"id": "scripted", "object": "model", "created": 1, "owned_by": "test"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.endswith("/chat/completions"):
            return self.say({"error": {"message": f"nothing at {self.path}", "code": "not_found"}}, 404)
        self.server.scripted.requests.append(asked)
        message, finish = self.server.scripted.message(asked)
        if asked.get("stream"):
            events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks(asked, message, finish)]
            return self.write("".join([*events, "data: [DONE]\n\n"]).encode(), "text/event-stream")
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        base = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"]}
        return self.say({**base, "choices": choices, "usage": USAGE})

    def say(self, body, status=200):
        self.write(json.dumps(body).encode(), "application/json", status)

    def write(self, body, kind, status=200):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: pytest shows what a test prints."""


@contextmanager
def listening(scripted):
    """Answers on a port that the system chose, in threads of its own, so that no host's loop matters."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.scripted = scripted
    scripted.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
