"""What an OpenAI server says on the endpoints that hoosh passes on: it reads what came, and says what it found."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from .answers import CREATED, Answer, Json, error

PIXEL = base64.b64encode(b"\x89PNG pixel").decode()


@dataclass
class Form:
    """A form: its fields, and of each file its name and content."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def digest(self, name: str) -> str:
        """SHA-256 of a file."""
        return hashlib.sha256(self.files[name][1]).hexdigest()


def read_form(content_type: str, body: bytes) -> Form:
    """Takes `multipart/form-data` apart, whole: what is not framed as it should be is an `AssertionError`."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    before, *parts, after = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert (before, after.rstrip(b"\r\n")) == (b"", b"--"), (before, after)
    form = Form()
    for part in parts:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        named = dict(re.findall(r'(\w+)="([^"]*)"', head.decode()))
        if "filename" in named:
            form.files[named["name"]] = (named["filename"], content)
        else:
            form.fields[named["name"]] = content.decode()
    return form


class Passed:
    """The endpoints, and the files that were given to it."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[Json, bytes]] = {}

    def answer(self, method: str, target: str, content_type: str, body: bytes) -> Answer | None:
        """The answer; None if the path is none of these."""
        path, _, query = target.partition("?")
        if path.startswith("/v1/files"):
            return self._files(method, path.removeprefix("/v1/files").removeprefix("/"), query, content_type, body)
        if method != "POST":
            return None
        form = read_form(content_type, body) if content_type.startswith("multipart/form-data") else None
        asked: Json = dict(form.fields) if form is not None else {}
        if content_type.startswith("application/json"):
            try:
                asked = json.loads(body)
            except ValueError:  # nothing, where it is answered before its body came
                return None
        match path.removeprefix("/v1"):
            case "/moderations":
                texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
                result = {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}
                return Answer(
                    body={"id": "modr-1", "model": asked.get("model", "default"), "results": [result] * len(texts)}
                )
            case "/rerank" | "/v2/rerank":
                results = [{"index": at, "relevance_score": 1 / (at + 1)} for at in range(len(asked["documents"]))]
                return Answer(body={"id": "rr-1", "results": results, "usage": {"total_tokens": 9}})
            case "/images/generations" | "/images/edits" | "/images/variations":
                return _images(asked, form)
            case "/audio/speech":
                if asked.get("stream_format") == "sse":
                    audio = base64.b64encode(b"ID3").decode()
                    return Answer(
                        events=[
                            {"type": "speech.audio.delta", "audio": audio},
                            {"type": "speech.audio.done", "usage": USAGE},
                        ]
                    )
                return Answer(raw=b"ID3" + asked["input"].encode() * 5_000, headers={"content-type": "audio/mpeg"})
            case "/audio/transcriptions" | "/audio/translations" if form is not None:
                return _text(asked, form)
        return None

    def _files(self, method: str, rest: str, query: str, content_type: str, body: bytes) -> Answer:
        name, _, content = rest.partition("/")
        if method == "POST" and not rest:
            form = read_form(content_type, body)
            filename, data = form.files["file"]
            made = {"id": f"file-{form.digest('file')[:16]}", "object": "file", "bytes": len(data), "created_at": CREATED,
                    "filename": filename, "purpose": form.fields["purpose"], "status": "processed"}  # fmt: skip
            self.files[made["id"]] = (made, data)
            return Answer(body=made)
        if not rest:
            asked = parse_qs(query)
            kept = [
                made for made, _ in self.files.values() if made["purpose"] in asked.get("purpose", [made["purpose"]])
            ]
            return Answer(
                body={"object": "list", "data": kept[: int(asked.get("limit", ["100"])[0])], "has_more": False}
            )
        if name not in self.files:
            return error(404, f"No such File object: {name}", None, "id")
        made, data = self.files[name]
        if content == "content":
            disposition = f'attachment; filename="{made["filename"]}"'
            return Answer(
                raw=data, headers={"content-type": "application/octet-stream", "content-disposition": disposition}
            )
        if method == "DELETE":
            del self.files[name]
            return Answer(body={"id": name, "object": "file", "deleted": True})
        return Answer(body=made)


USAGE: dict[str, Any] = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}


def _images(asked: Json, form: Form | None) -> Answer:
    if asked.get("stream") in (True, "true"):
        kind = "image_edit" if form is not None else "image_generation"
        part = {"type": f"{kind}.partial_image", "b64_json": PIXEL, "partial_image_index": 0}
        return Answer(events=[part, {"type": f"{kind}.completed", "b64_json": PIXEL, "usage": USAGE}])
    image = {"b64_json": PIXEL, "revised_prompt": form.digest("image") if form is not None else asked.get("prompt")}
    return Answer(body={"created": CREATED, "data": [image] * int(asked.get("n") or 1), "usage": USAGE})


def _text(asked: Json, form: Form) -> Answer:
    text = f"{asked['model']}:{form.digest('file')}"
    if asked.get("stream") == "true":
        done = {"type": "transcript.text.done", "text": text, "usage": {"type": "tokens", **USAGE}}
        return Answer(events=[{"type": "transcript.text.delta", "delta": text}, done])
    if asked.get("response_format") == "text":
        return Answer(raw=text.encode(), headers={"content-type": "text/plain; charset=utf-8"})
    return Answer(body={"text": text, "usage": {"type": "tokens", **USAGE}})
