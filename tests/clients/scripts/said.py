"""What the scripted upstream of `test_libraries.py` is asked and says."""

from pydantic import BaseModel

QUESTION = "How is the weather in Oslo?"
TEXT = "It is sunny in Oslo."
MODEL = "scripted"
KEY = "unused"
SHAPE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
"""The tool's parameters, for a client that takes a schema."""


class Person(BaseModel):
    """A person."""

    name: str
    age: int


ANN = Person(name="Ann", age=3)


def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The city's name.
    """
    return f"sunny in {city}"
