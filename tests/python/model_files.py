"""Model files (GGUF) that differ from the one that comes with hoosh, so that tests need no other."""

import struct

from hoosh._driver.own import DEMONSTRATION

TEXT, LIST = 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
ALIGNMENT = 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def text(self):
        return self.take(self.number("Q"))

    def value(self, kind):
        if kind == TEXT:
            self.text()
        elif kind == LIST:
            inner, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.value(inner)
        else:
            self.take(SIZES[kind])


def text(value):
    return struct.pack("<Q", len(value)) + value


def changed(*, blank=False, **entries):
    """The model that comes with hoosh, with other `entries` (numbers as they are stored, or texts) by their name with `__`
    for each point. `blank`: all its weights are zero, so that every token is as likely as every other."""
    reader = Reader(DEMONSTRATION.read_bytes())
    new = {name.replace("__", ".").encode(): value for name, value in entries.items()}
    head, tensors, count = reader.take(8), reader.number("Q"), reader.number("Q")
    written = []
    for _ in range(count):
        start, key, kind = reader.at, reader.text(), reader.number("I")
        before = reader.at
        reader.value(kind)
        value = new.get(key)
        if value is None:
            written.append(reader.data[start : reader.at])
        else:
            value = text(value.encode()) if kind == TEXT else struct.pack("<I", value)
            written.append(reader.data[start:before] + value)
    start = reader.at
    for _ in range(tensors):
        reader.text()
        reader.take(8 * reader.number("I") + 4 + 8)
    infos = reader.data[start : reader.at]
    weights = reader.data[-(-reader.at // ALIGNMENT) * ALIGNMENT :]
    file = head + struct.pack("<QQ", tensors, count) + b"".join(written) + infos
    return file + bytes(-len(file) % ALIGNMENT) + (bytes(len(weights)) if blank else weights)
