"""A fake provider that speaks the Responses API and keeps what it made, in the shapes of `openai` 3.57
(`types/responses/response.py`, `response_status.py`, `response_item_list.py`)."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SAID = "hello"


def message(number):
    text = {"type": "output_text", "text": SAID, "annotations": []}
    return {"type": "message", "id": f"msg_{number}", "status": "completed", "role": "assistant", "content": [text]}


class Keeper:
    """What it was asked, and the responses that it keeps: `polls` polls show a background response before it is made."""

    def __init__(self):
        self.asked = []
        self.kept = {}
        self.polls = 1

    def create(self, body):
        number = len(self.kept) + 1
        response = {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": 1_700_000_000,
            "model": body["model"],
            "status": "queued",
            "background": bool(body.get("background")),
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "error": None,
            "usage": None,
        }
        self.kept[response["id"]] = [response, body, self.polls]
        if not body.get("background"):
            self.finish(response)
        return response

    def finish(self, response):
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        usage = {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10, **details}
        number = response["id"].removeprefix("resp_")
        response.update(status="completed", output=[message(number)], usage=usage)

    def poll(self, kept):
        response, _, left = kept
        if response["status"] == "queued" and left == 0:
            self.finish(response)
        kept[2] = max(0, left - 1)
        return response

    def items(self, kept):
        part = {"type": "input_text", "text": kept[1]["input"]}
        item = {"type": "message", "id": "msg_in", "status": "completed", "role": "user", "content": [part]}
        return {"object": "list", "data": [item], "first_id": "msg_in", "last_id": "msg_in", "has_more": False}

    def events(self, kept, after):
        """From the one after `after` on."""
        self.finish(kept[0])
        queued = {**kept[0], "status": "queued", "output": [], "usage": None}
        kinds = [("queued", queued), ("in_progress", queued), ("completed", kept[0])]
        for number, (kind, response) in enumerate(kinds):
            if number > after:
                event = {"type": f"response.{kind}", "sequence_number": number, "response": response}
                yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_request(self):
        keeper = self.server.keeper
        target = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        keeper.asked.append((self.command, self.path, body))
        parts = target.path.removeprefix("/v1/responses").strip("/").split("/")
        if target.path == "/v1/models":
            return self.say({"object": "list", "data": [{"id": "m", "object": "model"}]})
        if parts == [""] and self.command == "POST":
            return self.say(keeper.create(body))
        kept = keeper.kept.get(parts[0])
        if kept is None:
            error = {"message": "No such response.", "type": "invalid_request_error", "param": None, "code": None}
            return self.say({"error": error}, 404)
        query = parse_qs(target.query)
        match (self.command, *parts[1:]):
            case ("GET",) if query.get("stream") == ["true"]:
                return self.stream(keeper.events(kept, int(query.get("starting_after", ["-1"])[0])))
            case ("GET",):
                return self.say(keeper.poll(kept))
            case ("DELETE",):
                del keeper.kept[parts[0]]
                return self.say({"id": parts[0], "object": "response", "deleted": True})
            case ("GET", "input_items"):
                return self.say(keeper.items(kept))
            case ("POST", "cancel"):
                kept[0]["status"] = "cancelled"
                return self.say(kept[0])
        return self.say({"error": {"message": "What?"}}, 404)

    do_GET = do_POST = do_DELETE = handle_request  # noqa: N815 - names that the base class looks for

    def say(self, body, status=200):
        self.write(json.dumps(body), "application/json", status)

    def stream(self, events):
        self.write("".join(events), "text/event-stream", 200)

    def write(self, text, kind, status):
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def keeping():
    """Runs it: gives (base URL, the keeper)."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.keeper = Keeper()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", server.keeper
        finally:
            server.shutdown()
            thread.join()
